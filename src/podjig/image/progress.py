"""Progress of long work: one living line on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TextIO

EVERY = 3.0
"""Seconds between two lines where the output is no terminal."""

_QUIET_FOR = 0.5
"""Seconds before the first line: work that is over by then needs none."""

_write: Callable[[str], None] | None = None


def send_to(write: Callable[[str], None] | None) -> None:
    """Have lines written by ``write`` (a test runner that captures stderr needs this); ``None``: stderr again."""
    global _write  # noqa: PLW0603  one process, one place for progress
    _write = write


_aside: ContextVar[Callable[[str], None] | None] = ContextVar("aside", default=None)


@contextmanager
def aside(write: Callable[[str], None]) -> Iterator[None]:
    """Have this thread's lines written by ``write`` in the block: a thread in the background may not be free to."""
    token = _aside.set(write)
    try:
        yield
    finally:
        _aside.reset(token)


def put(line: str) -> None:
    """Write a whole line to where progress goes."""
    write = _aside.get() or _write
    if write is not None:
        write(line)
        return
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


class ProgressLine:
    """Tells how a long step goes. Use as a context manager; the last line says how it ended."""

    def __init__(self, title: str, *, stream: TextIO | None = None) -> None:
        self._title = title
        self._stream = stream or sys.stderr
        self._terminal = (_aside.get() or _write) is None and self._stream.isatty()
        self._started = time.monotonic()
        self._next = self._started + _QUIET_FOR
        self._shown = False

    def update(self, detail: str) -> None:
        """Say what is being done now; drawn at most ten times a second on a terminal, rarely elsewhere."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + (0.1 if self._terminal else EVERY)
        self._shown = True
        self._put(f"{self._title} [{now - self._started:.0f}s] {' '.join(detail.split())}"[:120])

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._shown:
            verdict = "failed after" if kind else "done in"
            self._put(f"{self._title}: {verdict} {time.monotonic() - self._started:.1f} s", last=True)

    def _put(self, line: str, *, last: bool = False) -> None:
        write = _aside.get() or _write
        if write is not None:
            write(line)
            return
        text = f"\r\x1b[2K{line}" + ("\n" if last else "") if self._terminal else line + "\n"
        self._stream.write(text)
        self._stream.flush()


def bytes_done(done: int | None, total: int | None) -> str:
    """``"12 of 80 MB"``, or nothing where bytes are not counted."""
    if done is None:
        return ""
    megabytes = f"{done / 1e6:.0f}"
    return f"{megabytes} of {total / 1e6:.0f} MB" if total else f"{megabytes} MB"
