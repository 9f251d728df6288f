"""Tracebacks of podjig's errors: the message says what is wrong, and the way through podjig's own code does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import _pytest
import pluggy
import pytest

_OURS = str(Path(__file__).parents[1])
_PYTEST = tuple(str(Path(module.__file__ or "").parent) for module in (_pytest, pluggy))


def shorten(item: pytest.Item, call: pytest.CallInfo[Any]) -> Any:
    """Leave the frames of podjig out of an error's traceback, unless pytest is asked for ``--full-trace``.

    Returns:
        What to show instead of it, where nothing of the user's own would be left; else ``None``.
    """
    excinfo = call.excinfo
    if excinfo is None or item.config.getoption("fulltrace"):
        return None
    entries = list(excinfo.traceback)
    while entries and str(entries[-1].path).startswith(_OURS):
        entries.pop()
    if not entries or str(entries[-1].path).startswith(_PYTEST):  # a fixture of podjig's own
        return excinfo.getrepr(style="value")
    excinfo.traceback = type(excinfo.traceback)(entries)
    return None
