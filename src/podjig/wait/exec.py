"""Wait for a command inside the container to succeed."""

from __future__ import annotations

from collections.abc import Sequence

from podjig.errors import DefinitionError
from podjig.spec.command import split_command
from podjig.wait.deadline import at_most
from podjig.wait.strategy import WaitStrategy
from podjig.wait.target import WaitTarget

_ONE_RUN = 10.0
"""Seconds for one run: a client that hangs while its server starts is run again."""


class ExecWaitStrategy(WaitStrategy):
    """Wait until a command run inside the container gives the exit code wanted.

    A run costs the engine 80 to 190 ms: a question asked from outside (:class:`HttpWaitStrategy`, a service's
    own protocol) is quicker.

    Args:
        command: Program and arguments; a string is split as a shell would.
        expected_exit_code: The exit status that means ready.

    Raises:
        DefinitionError: The command is empty or cannot be split.
    """

    def __init__(self, command: str | Sequence[str], expected_exit_code: int = 0) -> None:
        self._command = split_command(command)
        if not self._command:
            raise DefinitionError("the command to wait for is empty", hint="name a program, like 'pg_isready'")
        self._expected = expected_exit_code

    def check(self, target: WaitTarget) -> str | None:
        result = target.engine.exec(target.id, self._command, timeout=at_most(_ONE_RUN))
        if result.exit_code == self._expected:
            return None
        output = result.output.decode("utf-8", "replace").strip()[-200:]
        return f"last run: exit code {result.exit_code}, output {output!r}"

    def describe(self) -> str:
        return f"the command {' '.join(self._command)!r} to exit with code {self._expected}"
