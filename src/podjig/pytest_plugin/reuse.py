"""``--podjig-reuse``: services that survive the run, for the next one to take up."""

from __future__ import annotations

import pytest

from podjig.container import defaults
from podjig.pytest_plugin import options


class Reuse:
    """Has containers reused where that is asked for. The summary tells with ``-v`` which were not, and why.

    Args:
        config: The run's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._before = defaults.reuse

    def pytest_configure(self) -> None:
        """Begin."""
        self._before, defaults.reuse = defaults.reuse, options.value(self._config, "reuse") or defaults.reuse

    def pytest_unconfigure(self) -> None:
        """End."""
        defaults.reuse = self._before
