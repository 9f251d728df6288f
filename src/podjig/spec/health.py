"""Healthchecks."""

from __future__ import annotations

from dataclasses import dataclass

from podjig.errors import DefinitionError


@dataclass(frozen=True, kw_only=True)
class Healthcheck:
    """A command that tells whether the service inside is well.

    podjig runs it on demand: no systemd timer is needed.

    Attributes:
        command: The program and its arguments, or one string for the container's shell.
        timeout: Seconds after which one run counts as failed.
        interval: Seconds between runs, for engines that run it by themselves.
        retries: Failures in a row that make the container unhealthy.
        start_period: Seconds after the start in which failures do not count.
    """

    command: str | tuple[str, ...]
    timeout: float = 30.0
    interval: float = 30.0
    retries: int = 3
    start_period: float = 0.0

    def __post_init__(self) -> None:
        if not self.command:
            raise DefinitionError("the healthcheck's command is empty", hint="name a program, like 'pg_isready'")
        if self.retries < 1:
            raise DefinitionError(f"healthcheck retries must be one or more, not {self.retries!r}")

    @property
    def test(self) -> list[str]:
        """The command in the form of the OCI image configuration: ``["CMD-SHELL", ...]`` or ``["CMD", ...]``."""
        if isinstance(self.command, str):
            return ["CMD-SHELL", self.command]
        return ["CMD", *self.command]
