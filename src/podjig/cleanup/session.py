"""A session: one process's use of one engine, and the promise that nothing of it is left.

Three layers keep the promise. Here: whoever starts something stops it, and what was forgotten is stopped at exit, the
last first. Beside: a helper process that cleans up when this one dies (``helper.py``). Later: the sweep of the next
session (``sweep.py``). The container's own lifetime, enforced by the engine, backs all three up.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from podjig import config
from podjig.cleanup import signals
from podjig.cleanup.folders import Folders, folders
from podjig.cleanup.helper import Helper
from podjig.cleanup.labels import Kind, Owner, owner_labels, resource_labels
from podjig.cleanup.lease import create
from podjig.engine.protocol import Engine
from podjig.errors import EngineUnavailable, NameInUse, PodjigError
from podjig.spec import ContainerSpec


@dataclass(frozen=True, kw_only=True)
class Keep:
    """That a resource outlives its session on purpose.

    Attributes:
        duration: Seconds until it expires.
        why: The reason, for people.
    """

    duration: float
    why: str


class Session:
    """This process's session with one engine: lease and helper process exist before its first resource does.

    Args:
        engine: The engine.

    Raises:
        EngineUnavailable: No lease can be kept, or the helper process cannot be started: without them nothing could
            be cleaned up safely, so nothing is made.
    """

    def __init__(self, engine: Engine) -> None:
        self.id = os.urandom(6).hex()
        self._engine = engine
        self._pid = os.getpid()
        self._mutex = threading.Lock()
        self._folders = folders()
        self._closers: dict[str, Callable[[], None]] = {}
        self._owner_labels = owner_labels(Owner.this_process(), session=self.id, leases=self._folders.leases.id)
        try:
            self._lease = create(self._folders.leases, self.id)
            self._helper = Helper(session=self.id, engine=engine)
        except OSError as error:
            raise EngineUnavailable(
                f"cannot begin a session in {self._folders.leases.path}: {error}",
                hint="make that folder writable, or set XDG_RUNTIME_DIR to one of your own",
            ) from error

    @property
    def folders(self) -> Folders:
        """Where its lease and records lie."""
        return self._folders

    def labels(self, kind: Kind, *, keep: Keep | None = None) -> dict[str, str]:
        """Return the labels for a resource that is made now.

        Args:
            kind: What it is.
            keep: If and how long it outlives the session. Else it expires after the setting ``lifetime``.
        """
        lifetime = keep.duration if keep else config.current()[config.LIFETIME]
        return {**self._owner_labels, **resource_labels(kind, lifetime=lifetime, keep=keep.why if keep else "")}

    def own(self, spec: ContainerSpec, *, keep: Keep | None = None) -> ContainerSpec:
        """Return ``spec`` as this session makes it: labelled, with a lifetime, its named volumes made and labelled."""
        for mount in spec.mounts:
            if mount.kind == "volume":
                self.claim_volume(mount.source, keep=keep)
        lifetime = spec.lifetime
        if lifetime is None and self._engine.capabilities.server_side_lifetime:
            lifetime = keep.duration if keep else config.current()[config.LIFETIME]
        return replace(spec, labels={**spec.labels, **self.labels("container", keep=keep)}, lifetime=lifetime)

    def keep(self, id: str, *, duration: float, why: str) -> None:
        """Keep a resource that exists already for ``duration`` seconds from now; :meth:`close` leaves it."""
        self._folders.kept.keep(id, seconds=duration, why=why)
        self.closed(id)

    def opened(self, id: str, close: Callable[[], None]) -> None:
        """Have ``close`` called at the session's end, unless :meth:`closed` says before that it is done."""
        with self._mutex:
            self._closers[id] = close

    def closed(self, id: str) -> None:
        """Forget what was opened under this id. Quiet where there is nothing."""
        with self._mutex:
            self._closers.pop(id, None)

    def claim_volume(self, name: str, *, keep: Keep | None = None) -> None:
        """Make a named volume, and remove it at the session's end; one that exists already stays as it is."""
        try:
            self._engine.create_volume(name, labels=self.labels("volume", keep=keep))
        except NameInUse:
            return
        if keep is None:
            self.opened(f"volume {name}", lambda: self._engine.remove_volume(name))

    def close(self) -> list[PodjigError]:
        """End the session: close what is open, the last first. Return what failed; the helper process tries again."""
        failures = []
        while self._closers:
            with self._mutex:
                _, close = self._closers.popitem()
            try:
                close()
            except PodjigError as error:
                failures.append(error)
        if failures:
            self._lease.release()
            self._helper.let_go()
        else:
            self._lease.release(remove=True)
            self._helper.dismiss()
        return failures

    def abandon(self) -> None:
        """In a forked child: let go of what is the parent's, and touch nothing of it."""
        self._helper.let_go()
        self._lease.release()


_sessions: dict[str, Session] = {}
_mutex = threading.Lock()


def session_of(engine: Engine) -> Session | None:
    """Return this process's session with ``engine``, begun at the first call; ``None`` where all of it dies with us.

    Raises:
        EngineUnavailable: It cannot be begun.
    """
    if not engine.capabilities.outlives_client:
        return None
    with _mutex:
        if engine.info.address not in _sessions:
            if not _sessions:
                signals.unwind_on_terminate()
            _sessions[engine.info.address] = Session(engine)
        return _sessions[engine.info.address]


def close_sessions() -> None:
    """End all sessions of this process; for the end of a run, and safe to call twice."""
    while _sessions:
        with _mutex:
            _, session = _sessions.popitem()
        for error in session.close():
            import warnings

            warnings.warn(f"podjig could not clean up, and its helper process tries again: {error}", stacklevel=2)


def _forget_after_fork() -> None:
    """A forked child neither keeps its parent's helper waiting nor cleans up its parent's resources."""
    global _mutex  # noqa: PLW0603
    _mutex = threading.Lock()
    while _sessions:
        _sessions.popitem()[1].abandon()


os.register_at_fork(after_in_child=_forget_after_fork)
atexit.register(close_sessions)
