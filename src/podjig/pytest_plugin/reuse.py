"""``--podjig-reuse``: services that survive the run, for the next one to take up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from podjig.container import defaults, observer
from podjig.pytest_plugin import options

if TYPE_CHECKING:
    from podjig.container.observer import Startup


class Reuse:
    """Has containers reused where that is asked for, and tells with ``-v`` which were not, and why.

    Args:
        config: The run's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._notes: list[str] = []
        self._before = False

    def pytest_configure(self) -> None:
        """Begin."""
        self._before, defaults.reuse = defaults.reuse, options.value(self._config, "reuse") or defaults.reuse
        observer.observers.append(self._started)

    def pytest_unconfigure(self) -> None:
        """End."""
        defaults.reuse = self._before
        observer.observers.remove(self._started)

    def _started(self, startup: Startup) -> None:
        if startup.note:
            self._notes.append(f"{startup.container.description}: {startup.note}")

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was not taken up from an earlier run, and why."""
        if self._notes and self._config.get_verbosity() > 0:
            terminalreporter.section("podjig: made anew")
            for note in self._notes:
                terminalreporter.write_line(note)
