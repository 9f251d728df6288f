"""Leases: one locked file a session. While the lock is held the session lives; the kernel drops it with its holder.

The lock is a POSIX record lock: it belongs to the process, so that a forked child does not hold it on, and it is seen
from every pid namespace that shares the folder. Process ids prove nothing and are never asked.

The file's first line is the engine's address. Who cleans up after the session adds a line: ``cleaning`` when it
begins, ``done`` when it has found nothing more. A file that is done stays for a while (see ``sweep.py``): the engine
may still finish what the session had asked for, and without its lease nobody could say whose that is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

_SUFFIX = ".lease"
_NEW = ".new"

_own: dict[Path, int] = {}
"""The leases this process holds, with its id (a forked child's table is its parent's). A process never blocks itself,
and loses its lock when it closes any descriptor of the file: so it must not even look at its own."""

_taking = threading.Lock()

Stage = Literal["", "cleaning", "done"]
"""How far the clean-up after a session has come."""


class LeaseState(Enum):
    """What a lease says of its session."""

    HELD = "held"
    CLEANING = "cleaning"  # held by who cleans up after it
    FREE = "free"
    ABSENT = "absent"


@dataclass(frozen=True)
class LeaseNote:
    """What is written in a lease.

    Attributes:
        address: The engine's.
        stage: How far the clean-up has come.
        age: Seconds since it was last written; negative if the clock was set back.
    """

    address: str
    stage: Stage
    age: float


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
        self.id: str = self._read_or_make_id()

    def lease(self, session: str) -> Path:
        """Return the path of a session's lease."""
        return self.path / f"{session}{_SUFFIX}"

    def state(self, session: str) -> LeaseState:
        """Look at a session's lease."""
        path = self.lease(session)
        with _taking:
            if _own.get(path) == os.getpid():
                return LeaseState.HELD
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return LeaseState.ABSENT
            try:
                if _lock(descriptor, fcntl.LOCK_SH):  # shared: two who look do not take each other for its holder
                    return LeaseState.FREE
                return LeaseState.CLEANING if _read(descriptor).stage else LeaseState.HELD
            finally:
                os.close(descriptor)

    def is_done(self, session: str) -> bool:
        """Whether a session has ended and nothing more of it was found."""
        with _taking:
            if _own.get(self.lease(session)) == os.getpid():
                return False
            try:
                return self.lease(session).read_text(encoding="utf-8").endswith("\ndone\n")
            except FileNotFoundError:
                return False

    def sessions(self) -> list[str]:
        """Return the sessions that have a lease here."""
        return sorted(file.name.removesuffix(_SUFFIX) for file in self.path.glob(f"*{_SUFFIX}"))

    def _read_or_make_id(self) -> str:
        path = self.path / "id"
        try:
            return path.read_text(encoding="ascii")
        except FileNotFoundError:
            pass
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

    def note(self) -> LeaseNote:
        """Return what it says."""
        assert self._descriptor is not None
        return _read(self._descriptor)

    def mark(self, stage: Stage) -> None:
        """Write down how far the clean-up has come.

        A full disk is no reason to stop cleaning up: then others only look at the session once more than they need.
        """
        if self._descriptor is not None:
            os.lseek(self._descriptor, 0, os.SEEK_END)
            with suppress(OSError):
                os.write(self._descriptor, f"{stage}\n".encode())

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


def create(folder: LeaseFolder, session: str, *, address: str) -> Lease:
    """Make and hold the lease of a new session with the engine at ``address``. Nobody ever sees it unlocked.

    Raises:
        OSError: The folder cannot be written to.
    """
    path = folder.lease(session)
    temporary = path.with_suffix(_NEW)
    descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, f"{address}\n".encode())
        temporary.rename(path)
    except BaseException:
        os.close(descriptor)
        temporary.unlink(missing_ok=True)
        raise
    return Lease(path, descriptor)


def take(path: Path) -> Lease | None:
    """Return the lease of an ended session, held by this process from now on; ``None`` if it is held or absent."""
    with _taking:  # the kernel does not tell one of our threads from another
        if _own.get(path) == os.getpid():
            return None
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        if _lock(descriptor, fcntl.LOCK_EX) and _still_linked(descriptor, path):
            return Lease(path, descriptor)
        os.close(descriptor)
        return None


def _read(descriptor: int) -> LeaseNote:
    address, *stages = os.pread(descriptor, 4096, 0).decode("utf-8", "replace").splitlines() or [""]
    stage: Stage = "done" if stages[-1:] == ["done"] else "cleaning" if stages else ""
    return LeaseNote(address, stage, time.time() - os.fstat(descriptor).st_mtime)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.lockf(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        raise
    return True


def _still_linked(descriptor: int, path: Path) -> bool:
    """Whether the file was not removed, by who held it, while we looked."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _forget_after_fork() -> None:
    """Whoever held it in the parent does not exist in the child."""
    global _taking  # noqa: PLW0603
    _taking = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)
