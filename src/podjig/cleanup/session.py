"""A session: one process's use of one engine, and the promise that nothing of it is left.

Three layers keep the promise. Here: whoever starts something stops it, and what was forgotten is stopped at exit, the
last first. Beside: a helper process that cleans up when this one dies (``helper.py``). Later: the sweep of the next
session (``sweep.py``). The container's own lifetime, enforced by the engine, backs all three up.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from podjig import config
from podjig.cleanup import signals
from podjig.cleanup.folders import Folders, folders
from podjig.cleanup.helper import Helper
from podjig.cleanup.labels import NAME, Kind, Owner, owner_labels, resource_labels
from podjig.cleanup.lease import create
from podjig.cleanup.membership import Membership, joined
from podjig.engine.protocol import Engine
from podjig.errors import EngineTimeout, EngineUnavailable, NameInUse, PodjigError
from podjig.spec import ContainerSpec

Made = TypeVar("Made")


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

    Whoever makes a resource does so within :meth:`making`, tells of it with :meth:`opened` before that ends, and
    with :meth:`closed` when it has removed it itself.

    Args:
        engine: The engine.

    Raises:
        EngineUnavailable: No lease can be kept, or the helper process cannot be started: without them nothing could
            be cleaned up safely, so nothing is made.
    """

    def __init__(self, engine: Engine) -> None:
        self.id: str = os.urandom(6).hex()
        self._engine = engine
        self._mutex = threading.Lock()
        self._folders = folders()
        self._open: dict[tuple[Kind, str], Callable[[], None] | None] = {}
        self._unsure = 0
        self._lent = False
        self._owner_labels = owner_labels(Owner.this_process(), session=self.id, leases=self._folders.leases.id)
        try:
            self._lease = create(self._folders.leases, self.id, address=engine.info.address)
            try:
                self._helper = Helper(session=self.id, engine=engine)
            except BaseException:
                self._lease.release(remove=True)
                raise
        except OSError as error:
            raise EngineUnavailable(
                f"cannot begin a session in {self._folders.leases.path}: {error}",
                hint="make that folder writable, or set XDG_RUNTIME_DIR to one of your own",
            ) from error

    @property
    def folders(self) -> Folders:
        """Where its lease and records lie."""
        return self._folders

    def labels(self, kind: Kind, *, keep: Keep | None = None, name: str = "") -> dict[str, str]:
        """Return the labels for a resource that is made now.

        Args:
            kind: What it is.
            keep: If and how long it outlives the session. Else it expires after the setting ``lifetime``.
            name: The name of an image: the one name of it that is ours to remove.
        """
        lifetime = keep.duration if keep else config.current()[config.LIFETIME]
        why = keep.why if keep else ""
        return {**self._owner_labels, **resource_labels(kind, lifetime=lifetime, keep=why, name=name)}

    def own(self, spec: ContainerSpec, *, keep: Keep | None = None) -> ContainerSpec:
        """Return ``spec`` as this session makes it: labelled, with a lifetime, its named volumes made and labelled."""
        for mount in spec.mounts:
            if mount.kind == "volume":
                self.claim_volume(mount.source, keep=keep)
        lifetime = spec.lifetime
        if lifetime is None and self._engine.capabilities.server_side_lifetime:
            lifetime = keep.duration if keep else config.current()[config.LIFETIME]
        return replace(spec, labels={**spec.labels, **self.labels("container", keep=keep)}, lifetime=lifetime)

    @contextmanager
    def making(self) -> Iterator[None]:
        """The time in which something is made of which :meth:`opened` has not told yet.

        Should it end otherwise than well or with the engine's refusal (Ctrl-C, a timeout, a lost connection), the
        engine may have made it, or do so yet, without our knowing its id. Then, or when the session ends meanwhile,
        the helper process is not dismissed: it looks for what carries the session's label.
        """
        with self._mutex:
            self._unsure += 1
        try:
            yield
        except (EngineUnavailable, EngineTimeout):
            raise
        except PodjigError:
            self._sure()
            raise
        else:
            self._sure()

    def _sure(self) -> None:
        with self._mutex:
            self._unsure -= 1

    def lend(self) -> Membership:
        """Return what lets another process make things in this session, with :func:`podjig.cleanup.membership.join`.

        :meth:`close` removes them; so that process must be done with them by then.
        """
        self._lent = True
        return Membership(session=self.id, address=self._engine.info.address, labels=self._owner_labels)

    def keep(self, kind: Kind, id: str, keep: Keep, *, uses: Iterable[tuple[Kind, str]] = ()) -> None:
        """Keep something that exists already; :meth:`close` leaves it.

        Args:
            kind: What it is.
            id: Its id or name.
            keep: How long from now, and why.
            uses: What it cannot do without: kept with it, as far as it is ours.

        Raises:
            EngineUnavailable: That cannot be written down.
        """
        for each in [(kind, id), *(used for used in uses if used in self._open)]:
            try:
                self._folders.kept.keep(each[1], seconds=keep.duration, why=keep.why)
            except OSError as error:
                raise EngineUnavailable(f"cannot write down that {kind} {id} is kept: {error}") from error
            self.closed(*each)

    def opened(self, kind: Kind, id: str, forget: Callable[[], None] | None = None) -> None:
        """Have something removed at the session's end, unless :meth:`closed` says before that it is gone.

        Args:
            kind: What it is.
            id: Its id or name.
            forget: Called when the session has removed it.
        """
        with self._mutex:
            self._open[kind, id] = forget

    def closed(self, kind: Kind, id: str) -> None:
        """Forget what was opened under this id. Quiet where there is nothing."""
        with self._mutex:
            self._open.pop((kind, id), None)

    def claim_volume(self, name: str, *, keep: Keep | None = None) -> None:
        """Make a named volume, and remove it at the session's end; one that exists already stays as it is.

        One that an ended session has left is removed first: it would go while it is being used.
        """
        if ("volume", name) in self._open:
            return
        labels = self.labels("volume", keep=keep)
        with self.making():
            try:
                self.in_room("volume", name, lambda: self._engine.create_volume(name, labels=labels))
            except NameInUse:
                return
            if keep is None:
                self.opened("volume", name)

    def in_room(self, kind: Kind, name: str | None, create: Callable[[], Made]) -> Made:
        """Return what ``create`` returns; where an ended session has left something under the name, that goes first.

        Args:
            kind: What it makes.
            name: Its name; ``None`` where the engine chooses one.
            create: Makes it.

        Raises:
            NameInUse: Somebody else's has the name.
        """
        try:
            return create()
        except NameInUse:
            if name is None or not self.make_room(kind, name):
                raise
            return create()

    def make_room(self, kind: Kind, name: str) -> bool:
        """Remove what an ended session has left under a name; whether it is worth another try then."""
        from podjig.cleanup.libpod import LibpodClient
        from podjig.cleanup.room import make_room

        client = LibpodClient(self._engine.info.address, revive=self._engine.ping)
        return make_room(client, self._folders, kind, name)

    def close(self) -> list[PodjigError]:
        """End the session: remove what is open, side by side. Return what failed; the helper process tries again.

        Interrupted, it leaves the rest to the helper process as well.
        """
        failures: list[PodjigError] = []
        certain = False
        try:
            failures = self._remove_open()
            certain = not failures and not self._unsure and not self._open
        finally:
            self._lease.release(remove=certain)
            if certain:
                self._helper.dismiss()
            else:
                self._helper.let_go()
        return failures

    def abandon(self) -> None:
        """In a forked child: let go of what is the parent's, and touch nothing of it."""
        self._helper.let_go()
        self._lease.release()

    def _remove_open(self) -> list[PodjigError]:
        with self._mutex:
            left = dict(reversed(self._open.items()))  # the last first
            self._open.clear()
            unsure = bool(self._unsure)
        from podjig.cleanup.libpod import LibpodClient
        from podjig.cleanup.removal import remove
        from podjig.cleanup.resource import Resource
        from podjig.cleanup.verdict import Judge

        address = self._engine.info.address
        # Images wait for the look below: a build elsewhere may have taken the name since, and the label tells.
        items = [Resource(kind=kind, id=what, name=what) for kind, what in left if kind != "image"]
        judge = Judge(self._folders.leases, self._folders.kept)
        try:
            result = remove(LibpodClient(address, revive=self._engine.ping), items)
            # A few milliseconds for proof: whatever else carries our label goes as well.
            revive = self._engine.ping if self._lent else None
            there = LibpodClient(address, revive=revive).resources(session=self.id)
            rest = remove(LibpodClient(address), [item for item in there if not judge.keeping(item.id, item.labels)[1]])
        except (EngineUnavailable, EngineTimeout) as error:
            # Else an idle service has ended, and nothing was open.
            return [error] if left or unsure or self._lent else []
        except PodjigError as error:
            return [error]
        for item in result.removed + rest.removed:
            forget = left.get((item.kind, item.labels.get(NAME, item.id)))
            if forget is not None:
                forget()
        return [error for _, error in rest.failed]


_sessions: dict[str, Session] = {}
_mutex = threading.Lock()


def session_of(engine: Engine) -> Session | None:
    """Return this process's session with ``engine``, begun at the first call; ``None`` where all of it dies with us.

    For whoever makes something, just before; it keeps the session for when that is removed. In a thread that has
    joined another process's session it is that one.

    Raises:
        EngineUnavailable: It cannot be begun.
    """
    if not engine.capabilities.outlives_client:
        return None
    membership = joined()
    if membership is not None:
        from podjig.cleanup.joined import JoinedSession

        return JoinedSession(engine, membership)
    with _mutex:
        if engine.info.address not in _sessions:
            if not _sessions:
                signals.unwind_on_terminate()
            _sessions[engine.info.address] = Session(engine)
        return _sessions[engine.info.address]


def close_sessions() -> None:
    """End all sessions of this process; for the end of a run, and safe to call twice."""
    errors: list[PodjigError] = []
    while True:
        with _mutex:
            if not _sessions:
                break
            _, session = _sessions.popitem()
        errors += session.close()
    for error in errors:
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
