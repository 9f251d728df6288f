"""Waiting for several things."""

from __future__ import annotations

import pytest

from podjig import AnyWaitStrategy, CompositeWaitStrategy, GenericContainer, LogMessageWaitStrategy
from podjig.errors import ContainerExited, DefinitionError, WaitTimeout
from podjig.wait.composite import CompositeWaitStrategy as Composite
from podjig.wait.function import FunctionWaitStrategy


def yes(_: object) -> bool:
    return True


def no(_: object) -> bool:
    return False


def broken(_: object) -> bool:
    raise KeyError("x")


def test_all_of_them(box: GenericContainer) -> None:
    assert CompositeWaitStrategy(yes, yes).check(box) is None
    assert CompositeWaitStrategy(yes, no).check(box) == "no() to return something true: it returned False"


def test_any_of_them(box: GenericContainer) -> None:
    assert AnyWaitStrategy(no, yes).check(box) is None
    missing = AnyWaitStrategy(no, LogMessageWaitStrategy("x")).check(box)
    assert missing is not None
    assert "it returned False" in missing
    assert "found it 0 of 1 times" in missing


def test_they_may_be_nested(box: GenericContainer) -> None:
    assert CompositeWaitStrategy(AnyWaitStrategy(no, yes), CompositeWaitStrategy(yes)).check(box) is None
    assert AnyWaitStrategy(CompositeWaitStrategy(yes, no), no).check(box) is not None


def test_they_say_what_they_wait_for() -> None:
    log = LogMessageWaitStrategy("x")
    assert CompositeWaitStrategy(log, yes).describe() == "'x' in the log and yes() to return something true"
    assert AnyWaitStrategy(log, yes).describe() == "'x' in the log or yes() to return something true"


def test_the_longest_deadline_of_them_holds_unless_they_are_given_one() -> None:
    short, long = FunctionWaitStrategy(yes).with_startup_timeout(1), FunctionWaitStrategy(yes).with_startup_timeout(5)
    assert CompositeWaitStrategy(short, yes, long).startup_timeout == 5
    assert CompositeWaitStrategy(short, long).with_startup_timeout(2).startup_timeout == 2
    assert CompositeWaitStrategy(yes).startup_timeout is None


def test_each_has_its_own_transient_exceptions(box: GenericContainer) -> None:
    patient = FunctionWaitStrategy(broken).with_transient_exceptions(KeyError)
    assert AnyWaitStrategy(patient, yes).check(box) is None
    with pytest.raises(KeyError):
        CompositeWaitStrategy(yes, broken).check(box)


def test_several_conditions_of_a_container_mean_all() -> None:
    container = GenericContainer("busybox", command="sleep 600").waiting_for(yes, LogMessageWaitStrategy("never"))
    assert isinstance(container.wait_strategy(), Composite)
    with pytest.raises(WaitTimeout, match="'never' in the log: found it 0 of 1 times"):
        container.with_startup_timeout(0.1).start()


def test_the_end_of_the_container_ends_them() -> None:
    container = GenericContainer("busybox", command="true").waiting_for(AnyWaitStrategy(no, no))
    with pytest.raises(ContainerExited, match="exited with code 0"):
        container.start()


def test_an_empty_one_is_refused() -> None:
    with pytest.raises(DefinitionError, match="at least one"):
        CompositeWaitStrategy()


@pytest.mark.parametrize("condition", ["ready", 5, None, LogMessageWaitStrategy])
def test_what_is_no_condition_is_refused(condition: object) -> None:
    with pytest.raises(DefinitionError, match="is neither a wait strategy nor a function"):
        CompositeWaitStrategy(condition)  # type: ignore[arg-type]
