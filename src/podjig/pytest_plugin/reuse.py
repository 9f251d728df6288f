"""``--podjig-reuse``: services that survive the run, for the next one to take up."""

from __future__ import annotations

from podjig.container import defaults


class Reuse:
    """Has containers reused; takes part where that is asked for. The summary tells with ``-v`` why some were not."""

    def __init__(self) -> None:
        self._before = defaults.reuse

    def pytest_configure(self) -> None:
        """Begin."""
        self._before, defaults.reuse = defaults.reuse, True

    def pytest_unconfigure(self) -> None:
        """End."""
        defaults.reuse = self._before
