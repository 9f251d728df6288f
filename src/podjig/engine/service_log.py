"""The private service's log: begun anew at each start, kept small, its tail quoted in errors."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_LIMIT = 1 << 20
_TAIL = 4096


@dataclass(frozen=True)
class Log:
    """One log file. The run before the last start is kept beside it, with ``.1`` appended."""

    path: Path

    def begin(self, command: Sequence[str]) -> BinaryIO:
        """Put the last run's log aside and open a new one, for a process to append to."""
        if self.path.exists():
            self.keep_small()
            self.path.replace(self._previous)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        output = os.fdopen(descriptor, "ab", buffering=0)
        output.write(f"# {time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(command)}\n".encode())
        return output

    def tail(self) -> str:
        """Return the last lines, without our own first one."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        if size > _TAIL:
            text = text.partition("\n")[2]
        return "\n".join(line for line in text.splitlines() if not line.startswith("# "))

    def keep_small(self) -> None:
        """Empty the log if it has grown beyond a megabyte, its end put aside. Its writer appends, and need not know."""
        try:
            if self.path.stat().st_size > _LIMIT:
                self._previous.write_text(self.tail(), encoding="utf-8")
                os.truncate(self.path, 0)
        except FileNotFoundError:
            pass

    @property
    def _previous(self) -> Path:
        return self.path.with_name(f"{self.path.name}.1")
