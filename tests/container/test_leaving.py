"""What is told of a container before it goes, and containers that are handed over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from podjig import GenericContainer
from podjig.container import observer
from podjig.container.running import Running
from podjig.engine.protocol import Engine
from podjig.errors import PodjigError


@pytest.fixture
def box() -> GenericContainer:
    return GenericContainer("busybox", command="sleep 600")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    ids: list[str] = []

    def note(container: Running) -> None:
        ids.append(container.inspect().id)

    observer.leaving.append(note)
    yield ids
    observer.leaving.remove(note)


def test_an_observer_is_told_while_the_container_is_still_there(box: GenericContainer, seen: list[str]) -> None:
    with box:
        made = box.id
    assert seen == [made]


def test_one_that_is_only_attached_to_does_not_leave(box: GenericContainer, seen: list[str]) -> None:
    with box:
        box.clone().attach(box.id).stop()
        assert seen == []


def test_the_tests_own_error_is_not_replaced_by_a_failing_removal(
    box: GenericContainer, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OwnError(Exception):
        pass

    def refuse(self: Engine, id: str) -> None:
        raise PodjigError("it cannot be removed")

    for error, expected in ((OwnError, OwnError), (None, PodjigError)):
        with monkeypatch.context() as patched, pytest.raises(expected), box:  # noqa: PT012  the block's end is the test
            patched.setattr(type(engine), "remove_container", refuse)
            if error is not None:
                raise error
        box.stop()
    assert not box.started


def test_what_is_handed_over_outlives_stop(box: GenericContainer, engine: Engine) -> None:
    box.start()
    made = box.id
    try:
        box.keep(60, "a test of keeping", hand_over=True)
        box.stop()
        assert not box.started
        assert engine.inspect_container(made).state.running
    finally:
        engine.remove_container(made)
