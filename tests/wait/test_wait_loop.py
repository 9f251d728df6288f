"""What all waits share: deadline, poll interval, transient exceptions, a user's own strategy, the container's end."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from podjig import (
    AnyWaitStrategy,
    CompositeWaitStrategy,
    ExitWaitStrategy,
    GenericContainer,
    LogMessageWaitStrategy,
    WaitStrategy,
)
from podjig.errors import ContainerExited, DefinitionError, WaitTimeout
from podjig.wait.loop import LifeWatch, wait_until_ready
from podjig.wait.target import WaitTarget


class Countdown(WaitStrategy):
    """A user's own strategy: ready at the n-th look."""

    def __init__(self, looks: int, error: Exception | None = None) -> None:
        self.left = looks
        self.looked_at: list[float] = []
        self.error = error

    def check(self, target: WaitTarget) -> str | None:
        self.looked_at.append(time.monotonic())
        self.left -= 1
        if self.left <= 0:
            return None
        if self.error is not None:
            raise self.error
        return f"{self.left} to go"

    def describe(self) -> str:
        return "the countdown"


def test_a_users_own_strategy(box: GenericContainer) -> None:
    mine = Countdown(3)
    mine.wait_until_ready(box)
    assert len(mine.looked_at) == 3


def test_a_users_own_strategy_at_the_start() -> None:
    mine = Countdown(3)
    with GenericContainer("busybox", command="sleep 600").waiting_for(mine.with_poll_interval(0)) as container:
        assert container.status == "running"


@pytest.mark.parametrize("timeout", [0, 0.0, timedelta(0)])
def test_a_timeout_of_zero_looks_once(box: GenericContainer, timeout: float | timedelta) -> None:
    Countdown(1).with_startup_timeout(timeout).wait_until_ready(box)
    late = Countdown(2).with_startup_timeout(timeout)
    with pytest.raises(WaitTimeout, match="was not ready after 0.0 s: waited for the countdown; 1 to go"):
        late.wait_until_ready(box)
    assert len(late.looked_at) == 1


def test_the_last_look_is_at_the_deadline(box: GenericContainer) -> None:
    mine = Countdown(99).with_startup_timeout(0.3).with_poll_interval(60)
    with pytest.raises(WaitTimeout):
        mine.wait_until_ready(box)
    assert len(mine.looked_at) == 2
    assert mine.looked_at[1] - mine.looked_at[0] >= 0.29


def test_a_poll_interval_is_kept(box: GenericContainer) -> None:
    mine = Countdown(3).with_poll_interval(timedelta(milliseconds=150))
    mine.wait_until_ready(box)
    gaps = [later - earlier for earlier, later in zip(mine.looked_at, mine.looked_at[1:], strict=False)]
    assert all(gap >= 0.149 for gap in gaps)


def test_without_one_the_first_looks_are_close_together(box: GenericContainer) -> None:
    mine = Countdown(20)
    seconds = wait_until_ready(box, mine)
    assert len(mine.looked_at) == 20
    assert seconds >= 19 * 0.01


def test_the_call_wins_over_the_strategy_and_the_container_over_both(box: GenericContainer) -> None:
    with pytest.raises(WaitTimeout, match=r"after 0\.0 s"):
        wait_until_ready(box, Countdown(9**9).with_startup_timeout(60), timeout=0)
    slow = GenericContainer("busybox", command="sleep 600").waiting_for(Countdown(9**9).with_startup_timeout(60))
    with pytest.raises(WaitTimeout, match=r"after 0\.2 s"):
        slow.with_startup_timeout(0.2).start()


@pytest.mark.parametrize("error", [ConnectionRefusedError("refused"), TimeoutError("slow"), OSError("broken")])
def test_an_os_error_means_not_yet(box: GenericContainer, error: Exception) -> None:
    Countdown(3, error).wait_until_ready(box)


def test_another_exception_ends_the_wait(box: GenericContainer) -> None:
    mine = Countdown(3, KeyError("x"))
    with pytest.raises(KeyError):
        mine.wait_until_ready(box)
    assert len(mine.looked_at) == 1


def test_unless_it_is_named_as_transient(box: GenericContainer) -> None:
    Countdown(3, KeyError("x")).with_transient_exceptions(KeyError, ValueError).wait_until_ready(box)
    with pytest.raises(WaitTimeout, match="last error: KeyError: 'x'"):
        Countdown(3, KeyError("x")).with_transient_exceptions(KeyError).with_startup_timeout(0).wait_until_ready(box)


def test_transient_exceptions_add_up(box: GenericContainer) -> None:
    mine = Countdown(3, KeyError("x")).with_transient_exceptions(KeyError).with_transient_exceptions(ValueError)
    assert mine.transient_exceptions == (KeyError, ValueError)
    assert Countdown(1).transient_exceptions == ()


@pytest.mark.parametrize("value", [-1, float("inf"), True, "1", timedelta(seconds=-1)], ids=repr)
def test_bad_times_are_refused(value: float) -> None:
    with pytest.raises(DefinitionError, match="startup timeout must be"):
        Countdown(1).with_startup_timeout(value)
    with pytest.raises(DefinitionError, match="poll interval must be"):
        Countdown(1).with_poll_interval(value)


def test_the_end_is_noticed_between_two_looks_of_a_wait() -> None:
    job = GenericContainer("busybox", command=["sh", "-c", "sleep 0.3; exit 9"]).waiting_for(Countdown(9**9))
    with pytest.raises(ContainerExited) as caught:
        job.start()
    assert caught.value.exit_code == 9


def test_a_removal_ends_the_wait() -> None:
    container = GenericContainer("busybox", command="sleep 600")
    with container:
        threading.Timer(0.2, container.engine.remove_container, [container.id]).start()
        with pytest.raises(ContainerExited, match="was removed after|exited with code 137 after"):
            wait_until_ready(container, Countdown(9**9), timeout=20)


@pytest.mark.parametrize("kind", [CompositeWaitStrategy, AnyWaitStrategy])
def test_an_end_that_is_waited_for_ends_the_wait_for_what_cannot_come_any_more(
    kind: type[CompositeWaitStrategy],
) -> None:
    both = kind(LogMessageWaitStrategy("never said"), ExitWaitStrategy())
    job = GenericContainer("busybox", command=["sh", "-c", "sleep 0.2"]).waiting_for(both).with_startup_timeout(20)
    if kind is AnyWaitStrategy:
        with job:
            assert job.inspect().state.ended
    else:
        with pytest.raises(ContainerExited, match="'never said' in the log and it to end"):
            job.start()


def test_a_process_of_that_number_that_is_not_the_containers_is_not_watched(
    box: GenericContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = LifeWatch(box)
    assert watch.ended() is None
    assert watch._process is not None
    monkeypatch.setattr("podjig.wait.loop.is_process_of", lambda pid, id: False)
    elsewhere = LifeWatch(box)
    assert elsewhere.ended() is None
    assert elsewhere._process is None
