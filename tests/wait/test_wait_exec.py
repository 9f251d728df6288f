"""Waiting for a command inside to succeed."""

from __future__ import annotations

import pytest

from podjig import ExecWaitStrategy, GenericContainer
from podjig.errors import CommandNotFound, ContainerExited, DefinitionError, WaitTimeout


def test_a_command_that_succeeds(box: GenericContainer) -> None:
    assert ExecWaitStrategy("true").check(box) is None
    assert ExecWaitStrategy(["sh", "-c", "exit 3"], expected_exit_code=3).check(box) is None


def test_a_command_that_fails_is_told_with_its_output(box: GenericContainer) -> None:
    strategy = ExecWaitStrategy("sh -c 'echo not yet; echo sorry >&2; exit 2'").with_startup_timeout(2)
    with pytest.raises(WaitTimeout) as caught:
        strategy.wait_until_ready(box)
    assert "the command 'sh -c echo not yet; echo sorry >&2; exit 2' to exit with code 0" in caught.value.message
    assert "last run: exit code 2, output 'not yet\\nsorry'" in caught.value.message


def test_a_start_waits_for_it() -> None:
    container = GenericContainer("busybox", command=["sh", "-c", "sleep 0.3; touch /tmp/ready; sleep 600"])
    with container.waiting_for(ExecWaitStrategy("test -f /tmp/ready")) as started:
        assert started.exec("test -f /tmp/ready").exit_code == 0


def test_a_command_that_hangs_is_run_again(box: GenericContainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podjig.wait.exec._ONE_RUN", 0.4)
    once = "test -f /tmp/tried || { touch /tmp/tried; sleep 600; }"
    ExecWaitStrategy(["sh", "-c", once]).with_startup_timeout(20).wait_until_ready(box)


def test_an_unknown_program_is_an_error_at_once(box: GenericContainer) -> None:
    with pytest.raises(CommandNotFound, match="no-such-program"):
        ExecWaitStrategy("no-such-program").wait_until_ready(box)


def test_the_end_of_the_container_ends_the_wait() -> None:
    container = GenericContainer("busybox", command=["sh", "-c", "sleep 0.2; exit 6"])
    with pytest.raises(ContainerExited) as caught:
        container.waiting_for(ExecWaitStrategy("false")).start()
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("command", ["", [], "echo 'x"])
def test_bad_commands_are_refused_at_once(command: str | list[str]) -> None:
    with pytest.raises(DefinitionError):
        ExecWaitStrategy(command)
