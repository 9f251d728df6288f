"""What children that are forked for a test note, and find left behind, told by their parent: see pytest-forked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from podjig.pytest_plugin.record import records_of

if TYPE_CHECKING:
    from podjig.pytest_plugin.isolating import Isolations

_NOTED = "podjig_noted"
"""Attribute of a report: what its test's process has noted. pytest-forked sends it along."""


class Forking:
    """Sends a child's records and leftovers to its parent, with the report of its test's teardown: its last."""

    def __init__(self, config: pytest.Config, isolations: Isolations) -> None:
        self._config = config
        self._isolations = isolations
        self._pid = os.getpid()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Begin anew in a child: what it inherits is noted already."""
        if os.getpid() != self._pid:
            records_of(self._config).clear()
            self._isolations.told_by_parent = True

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[Any]) -> Iterator[None]:
        """Send."""
        outcome: Any = yield
        if os.getpid() != self._pid and call.when == "teardown":
            noted = records_of(self._config).dump(), [asdict(each) for each in self._isolations.untold]
            setattr(outcome.get_result(), _NOTED, noted)

    @pytest.hookimpl(tryfirst=True)  # before xdist's worker sends it on
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Receive."""
        noted = report.__dict__.pop(_NOTED, None)
        if noted is not None:
            from podjig.isolation.protocol import Leftover

            records, untold = noted
            records_of(self._config).load(records)
            self._isolations.tell([Leftover(**each) for each in untold])
