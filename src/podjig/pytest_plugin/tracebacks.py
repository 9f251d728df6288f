"""Tracebacks of podjig's errors: the message says what is wrong, and the way through podjig's own code does not."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
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
    frames = []
    link: TracebackType | None = excinfo.tb
    while link is not None:
        frames.append(link)
        link = link.tb_next
    while frames and _file(frames[-1]).startswith(_OURS):
        frames.pop()
    if not frames or _file(frames[-1]).startswith(_PYTEST):  # a fixture of podjig's own
        shown = excinfo.getrepr(style="value")
        for entry in shown.reprtraceback.reprentries:
            message, *more = entry.lines
            entry.lines = [f"{excinfo.typename}: {message}", *more]
        return shown
    short: TracebackType | None = None
    for frame in reversed(frames):
        short = TracebackType(short, frame.tb_frame, frame.tb_lasti, frame.tb_lineno)
    assert short is not None
    call.excinfo = pytest.ExceptionInfo.from_exc_info((excinfo.type, excinfo.value, short))
    return None


def _file(link: TracebackType) -> str:
    return link.tb_frame.f_code.co_filename
