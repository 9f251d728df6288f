"""Containers kept for reuse: a record of each, and the lock of whoever is using it.

Both lie in the runtime folder, which is this user's alone, under a key made of the container's whole definition. The
lock is the kernel's: it goes with its holder, however that ends. It belongs to an open file and not to a process, so
that two containers of one process exclude each other as well.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import weakref
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from podjig.cleanup.labels import boot_id, start_time
from podjig.engine.runtime_dir import private_folder, runtime_dir

WHY = "for reuse"
"""Why such a container is kept, in its record and for people."""

_TRIES = 3
_PAUSE = 0.003
"""Who looks whether a lock is held holds it for a moment."""


@dataclass(frozen=True, kw_only=True)
class ReuseRecord:
    """A container that may be used again.

    Attributes:
        id: Its full id.
        host: Where its ports are published.
        ports: Container port (``"5432/tcp"``) -> the host's port.
        pid: Its first process, as this machine numbers it.
        start: When that started, in clock ticks since boot.
        boot: The kernel's boot id.
        ends: When the engine will end it, in seconds since the epoch.
        image: The name of its image.
        image_id: That image's id.
        images: The engine's list of images: a file; empty where it cannot be seen.
        remembered: What the server was like when it was new.
        spoiled: What was done to it that cannot be undone; empty for nothing.
    """

    id: str
    host: str
    ports: Mapping[str, int]
    pid: int
    start: int
    boot: str
    ends: float
    image: str
    image_id: str
    images: str
    remembered: str
    spoiled: str = ""

    @property
    def runs(self) -> bool:
        """Whether its first process is still the same: numbers are given again, but not at the same time."""
        return bool(self.pid and self.start) and (boot_id(), start_time(self.pid)) == (self.boot, self.start)

    @property
    def has_its_image(self) -> bool:
        """Whether its image's name still means the same image.

        Raises:
            OSError: The engine's list of images cannot be read.
        """
        images = json.loads(Path(self.images).read_bytes())
        named = [image["id"] for image in images if self.image in (image.get("names") or ())]
        return named == [self.image_id]


def folder() -> Path:
    """Return the folder of records and locks, made if need be.

    Raises:
        OSError, EngineUnavailable: It cannot be made.
    """
    path = runtime_dir() / "reuse"
    private_folder(path)
    return path


def read(key: str) -> ReuseRecord | None:
    """Return the record under a key; ``None`` if there is none, or it cannot be read."""
    try:
        return ReuseRecord(**json.loads((folder() / f"{key}.json").read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write(key: str, record: ReuseRecord) -> None:
    """Write the record under a key, whole or not at all."""
    temporary = folder() / f".{key}.{os.getpid()}.new"
    temporary.write_text(json.dumps(asdict(record)), encoding="utf-8")
    temporary.rename(folder() / f"{key}.json")


def forget(key: str) -> None:
    """Drop the record under a key. Quiet where there is none."""
    (folder() / f"{key}.json").unlink(missing_ok=True)


def spoil(key: str, id: str, what: str) -> None:
    """Write down that a container is not to be used again, since something was done to it."""
    record = read(key)
    if record is not None and record.id == id and not record.spoiled:
        write(key, replace(record, spoiled=what))


class Claim:
    """The right to use the container under a key, or to make it; nobody else has it at the same time.

    Args:
        key: The key.
        descriptor: The locked file; ``None`` where another process of this run holds it for us.
    """

    def __init__(self, key: str, descriptor: int | None = None) -> None:
        self.key = key
        self._descriptor = descriptor
        if descriptor is not None:
            _held.add(self)

    def release(self) -> None:
        """Give it up. Safe to call twice. In a forked child, only the child's part of it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def claim(key: str) -> Claim | None:
    """Return the claim to a key; ``None`` if somebody has it.

    It lasts until it is released, or this process ends.
    """
    path = lock_of(key)
    for left in reversed(range(_TRIES)):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            if left:
                time.sleep(_PAUSE)
        else:
            return Claim(key, descriptor)
    return None


def lock_of(key: str) -> Path:
    """Return the path of a key's lock. The file stays: who removes a lock breaks it."""
    return folder() / f"{key}.lock"


def is_held(lock: Path) -> bool:
    """Whether somebody has a claim."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


_held: weakref.WeakSet[Claim] = weakref.WeakSet()


def _forget_after_fork() -> None:
    """A child does not hold on to its parent's claims: closing its copies leaves the parent's as they are."""
    for each in list(_held):
        each.release()
    _held.clear()


os.register_at_fork(after_in_child=_forget_after_fork)
