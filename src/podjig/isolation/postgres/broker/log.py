"""The broker's log: what went wrong, for whoever looks while it runs. Bounded, and removed with its folder."""

from __future__ import annotations

import time
from pathlib import Path

LIMIT = 64 * 1024
"""Bytes after which nothing more is written."""


class Log:
    """One file."""

    def __init__(self, path: Path) -> None:
        """Append to ``path``, made at the first line."""
        self._path = path
        self._left = LIMIT

    def write(self, text: str) -> None:
        """Write some lines, with the time."""
        line = f"{time.strftime('%H:%M:%S')} {text}\n"
        self._left -= len(line)
        if self._left > 0:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)

    def close(self) -> None:
        """Write nothing more."""
        self._left = 0
