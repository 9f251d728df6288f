"""A lock among processes that the kernel drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from podjig.errors import EngineTimeout

_POLL = 0.005


@contextmanager
def locked(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold ``path`` (made if absent, its folder must exist) locked for the length of the block.

    Raises:
        EngineTimeout: Another process held it for ``timeout`` seconds.
        OSError: The file cannot be made.
    """
    deadline = time.monotonic() + timeout
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _acquire(descriptor, deadline):
                raise EngineTimeout(
                    f"another process has held {path} for {timeout:g} s",
                    hint="find it with 'fuser' or 'lsof', and end it if it hangs",
                )
            if _still_linked(descriptor, path):
                yield
                return
        finally:
            # Not by closing alone: a child forked meanwhile shares the lock, and would keep it.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _acquire(descriptor: int, deadline: float) -> bool:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL)


def _still_linked(descriptor: int, path: Path) -> bool:
    """Whether the file was not removed (with its folder) while we waited for it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
