"""Wait for the container's status, or for its end."""

from __future__ import annotations

from podjig.errors import ContainerExited
from podjig.wait.loop import log_tail
from podjig.wait.strategy import WaitStrategy
from podjig.wait.target import WaitTarget


class ContainerStatusWaitStrategy(WaitStrategy):
    """Wait until the engine calls the container running. Says nothing about the service inside."""

    def check(self, target: WaitTarget) -> str | None:
        state = target.engine.inspect_container(target.id).state
        return None if state.running else f"last status: {state.status}"

    def describe(self) -> str:
        return "it to run"


class ExitWaitStrategy(WaitStrategy):
    """Wait until the container has ended, for one-shot jobs.

    Args:
        exit_code: The exit status that means success; ``None`` accepts any.
    """

    expects_exit = True

    def __init__(self, exit_code: int | None = 0) -> None:
        self._expected = exit_code

    def check(self, target: WaitTarget) -> str | None:
        state = target.engine.inspect_container(target.id).state
        if not state.ended:
            return f"last status: {state.status}"
        if self._expected is not None and state.exit_code != self._expected:
            raise ContainerExited(
                f"{target.description} exited with code {state.exit_code}, not {self._expected}",
                logs=log_tail(target),
                exit_code=state.exit_code,
            )
        return None

    def describe(self) -> str:
        return "it to end" + ("" if self._expected is None else f" with exit code {self._expected}")
