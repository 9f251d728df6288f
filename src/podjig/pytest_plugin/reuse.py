"""``--podjig-reuse``: services that survive the run, for the next one to take up."""

from __future__ import annotations

from podjig.container import defaults


class Reuse:
    """Has containers reused. The summary tells with ``-v`` which were not, and why. Takes part where it is asked for."""

    def __init__(self) -> None:
        self._before = defaults.reuse

    def pytest_configure(self) -> None:
        """Begin."""
        self._before, defaults.reuse = defaults.reuse, True

    def pytest_unconfigure(self) -> None:
        """End."""
        defaults.reuse = self._before
