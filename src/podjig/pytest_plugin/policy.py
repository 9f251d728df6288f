"""What happens to tests that need a container where there is no engine: they fail, or are skipped and counted."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from podjig.errors import EngineNotFound, EngineUnavailable, PodjigError
from podjig.pytest_plugin import options

_WHY = "podjig_no_engine"
"""Attribute of a report: why a test was skipped. xdist's workers send it along."""


class EnginePolicy:
    """Skips tests without an engine where the option ``no_engine`` says so, and shortens podjig's tracebacks."""

    def __init__(self, config: pytest.Config) -> None:
        self._skip = options.value(config, "no_engine") == "skip"
        self._skipped: Counter[str] = Counter()

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
        """Make a skip of the lack of an engine; show the user's own frames of any other error of podjig."""
        error = call.excinfo.value if call.excinfo else None
        if not isinstance(error, PodjigError):
            yield
            return
        why = _no_engine(error) if self._skip else ""
        if why:
            call.excinfo = pytest.CallInfo.from_call(lambda: _skip(why), when=call.when).excinfo
            outcome: Any = yield
            setattr(outcome.get_result(), _WHY, why)
            return
        from podjig.pytest_plugin.tracebacks import shorten

        shown = shorten(item, call)
        outcome = yield
        if shown is not None:
            outcome.get_result().longrepr = shown

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count."""
        why = getattr(report, _WHY, "")
        if why:
            self._skipped[why] += 1

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many were skipped, and why; never silently."""
        for why, count in self._skipped.items():
            terminalreporter.section("podjig: no container engine", yellow=True)
            terminalreporter.write_line(f"{count} test{'' if count == 1 else 's'} skipped: {why}", yellow=True)


def _no_engine(error: PodjigError) -> str:
    """Return why there is no engine; nothing where there was one, that was lost in the middle of the run."""
    if isinstance(error, EngineNotFound):
        return str(error)
    discovery = sys.modules.get("podjig.engine.discovery")
    if isinstance(error, EngineUnavailable) and not (discovery and discovery.found()):
        return str(error)
    return ""


def _skip(why: str) -> None:
    raise pytest.skip.Exception(why, _use_item_location=True)
