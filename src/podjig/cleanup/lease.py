"""Leases: one locked file a session. While the lock is held the session lives; the kernel drops it with its holder.

The lock is a POSIX record lock: it belongs to the process, so that a forked child does not hold it on, and it is seen
from every pid namespace that shares the folder. Process ids prove nothing and are never asked.
"""

from __future__ import annotations

import errno
import fcntl
import os
from enum import Enum
from pathlib import Path

_SUFFIX = ".lease"

_own: dict[Path, int] = {}
"""The leases this process holds, with its id (a forked child's table is its parent's). A process never blocks itself,
and loses its lock when it closes any descriptor of the file: so it must not even look at its own."""


class LeaseState(Enum):
    """What a lease says of its session."""

    HELD = "held"
    FREE = "free"
    ABSENT = "absent"


class LeaseFolder:
    """The folder of this user's leases on this machine.

    Its id, a random text made with it, is written on everything made under its leases: who finds another id there
    cannot see those leases, and so cannot tell whether their sessions live.

    Args:
        path: The folder; made if absent.

    Raises:
        OSError: It cannot be made or written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.id = self._read_or_make_id()

    def lease(self, session: str) -> Path:
        """Return the path of a session's lease."""
        return self.path / f"{session}{_SUFFIX}"

    def state(self, session: str) -> LeaseState:
        """Look at a session's lease."""
        lease = take(self.lease(session))
        if lease is None:
            return LeaseState.HELD if self.lease(session).exists() else LeaseState.ABSENT
        lease.release()
        return LeaseState.FREE

    def sessions(self) -> list[str]:
        """Return the sessions that have a lease here."""
        return sorted(file.name.removesuffix(_SUFFIX) for file in self.path.glob(f"*{_SUFFIX}"))

    def _read_or_make_id(self) -> str:
        path = self.path / "id"
        fresh = os.urandom(8).hex()
        temporary = self.path / f".id-{fresh}"
        temporary.write_text(fresh, encoding="ascii")
        try:
            os.link(temporary, path)  # of several at once one wins, and all read its id
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
        return path.read_text(encoding="ascii")


class Lease:
    """A lease held by this process."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self._pid = os.getpid()
        _own[path] = self._pid

    def release(self, *, remove: bool = False) -> None:
        """Drop the lock; ``remove``: and the file. Safe to call twice, without effect in a forked child."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        if self._pid == os.getpid():
            if remove:
                self.path.unlink(missing_ok=True)
            _own.pop(self.path, None)
        os.close(descriptor)


def create(folder: LeaseFolder, session: str) -> Lease:
    """Make and hold the lease of a new session. Nobody ever sees it unlocked.

    Raises:
        OSError: The folder cannot be written to.
    """
    path = folder.lease(session)
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        temporary.rename(path)
    except BaseException:
        os.close(descriptor)
        raise
    return Lease(path, descriptor)


def take(path: Path) -> Lease | None:
    """Return the lease of an ended session, held by this process from now on; ``None`` if it is held or absent."""
    if _own.get(path) == os.getpid():
        return None
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        still_there = path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError as error:
        os.close(descriptor)
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.ENOENT):
            return None
        raise
    if not still_there:  # removed by who held it, while we looked
        os.close(descriptor)
        return None
    return Lease(path, descriptor)
