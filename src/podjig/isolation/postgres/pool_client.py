"""What one test process has of the pool: its connection to the server, its link to the broker, its databases."""

from __future__ import annotations

import os
import time
import warnings
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from podjig.errors import EngineError, IsolationError
from podjig.isolation.postgres.broker.hands import HANDS
from podjig.isolation.postgres.broker.launch import key_of
from podjig.isolation.postgres.broker.link import Link
from podjig.isolation.postgres.broker.orphans import mark_kept, pool_name
from podjig.isolation.postgres.capacity import check_capacity
from podjig.isolation.postgres.clone import clone
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.pool_admin import Admin
from podjig.isolation.postgres.server import APPLICATION, PostgresServer
from podjig.isolation.postgres.warm import Opening, WarmDatabase
from podjig.isolation.protocol import Leftover

AHEAD = 2
"""Databases that a process has in advance: while a test uses one, the connection to the next gets ready."""

PATIENCE = 2.0
"""Seconds to wait for the broker before a database is made here."""

_FLUSH = 2.0
"""Seconds that the end may wait for what was left behind to be found."""

_UNUSED = 4
"""After so many tests in a row that did not use the connection opened in advance, none is."""

_LOSSES = 3
"""So many brokers may be lost."""


class PoolClient:
    """What one process has of the pool. Not to be used in another."""

    def __init__(self, server: PostgresServer, template: str, *, workers: int, undo: bool) -> None:
        """Get ready; the broker is joined when the first database is asked for.

        Args:
            server: The server.
            template: The template's name.
            workers: How many processes share the server.
            undo: Whether what is changed on the whole server is undone.

        Raises:
            IsolationError: The server refuses, or admits too few connections for so many workers.
        """
        self.pid: int = os.getpid()
        self.server = server
        self.template = template
        self._undoes = undo
        self._admin = Admin(server, shared=workers > 1)
        self._conninfo = _conninfo(server)
        self.left: list[Leftover] = []
        self._link: Link | None = None
        self._losses = 0
        self._held: dict[str, WarmDatabase] = {}
        self._next: deque[tuple[str, Opening | None]] = deque()
        self._unused = 0
        self._gave = False
        self._begins = False
        try:
            check_capacity(self._admin.connection, workers=workers, ours=1 + AHEAD, shared=HANDS)
        except BaseException:
            self._admin.disconnect()
            raise

    def acquire(self) -> WarmDatabase:
        """Return a database.

        Raises:
            IsolationError: There is none to be had.
        """
        if not self._next:
            self._with_broker(self._refill)
        if not self._next:
            self._with_broker(self._wait)
        name, opening = self._next.popleft() if self._next else (self._make(), None)
        self._held[name] = database = WarmDatabase(self.server, name, opening, on_use=self._use)
        if self._undoes:
            self._admin.enter(name)
        self._begins = True
        database.take_over()
        self._ask_for_more()
        return database

    def _use(self) -> None:
        """Get ready for a test's first step into its database, and let the connection to the next one begin."""
        self._admin.read_state()
        if self._begins:
            self._begins = False
            self._open_next()

    def _open_next(self) -> None:
        """Begin to connect to the databases that come next: while a test runs, a processor has time for that."""
        for index, (name, opening) in enumerate(self._next):
            if opening is not None:
                opening.advance()
            elif self._unused < _UNUSED:
                self._next[index] = (name, Opening(f"{self._conninfo} dbname={name}"))

    def _ask_for_more(self) -> None:
        """Ask for the database after the next; it comes while the test runs."""
        if self._link is not None:
            try:
                self._link.want(AHEAD - len(self._next))
            except ConnectionError:
                self._lose()

    def release(self, database: WarmDatabase, requester: str, *, keep: bool) -> None:
        """Take a database back."""
        name = database.name
        self._unused = self._unused + 1 if database.let_go() else 0
        dropped = False

        def free() -> None:
            nonlocal dropped
            if not keep and not dropped:
                self._drop(name, requester)
                dropped = True
            self.discard_openings()

        if self._undoes:
            changed = self._admin.leave(name, free=free)
            self.left += [Leftover(requester=requester, what=what) for what in changed]
        if keep:
            mark_kept(self._admin.connection, name, requester)
        self._held.pop(name, None)
        self._gave = True
        told = self._with_broker(lambda link: link.say("kept" if keep else "give", name=name, requester=requester))
        if not (told or keep or dropped):
            self._drop(name, requester)
        self._with_broker(self._refill)

    def _drop(self, name: str, requester: str) -> None:
        """Drop a database here and now."""
        self.left += [Leftover(requester=requester, what=what) for what in drop(self._admin.connection, name)]

    def discard_openings(self) -> None:
        """Close the connections on their way: they began under settings that are no more."""
        for _ in range(len(self._next)):
            name, opening = self._next.popleft()
            if opening is not None:
                opening.abandon()
            self._next.append((name, None))

    def leftovers(self) -> list[Leftover]:
        """Return what was found left behind since the last call."""
        self._with_broker(lambda link: link.listen(), join=False)
        found, self.left = self.left, []
        return found

    def close(self) -> None:
        """Give everything back."""
        self.discard_openings()
        for database in self._held.values():
            database.let_go()
        if not self._with_broker(self._flush, join=False):
            with suppress(IsolationError):  # the server is gone, and they with it
                for name in [*self._held, *(name for name, _ in self._next)]:
                    drop(self._admin.connection, name, grace=0)
        link, self._link = self._link, None
        if link is not None:
            link.close()
        self._next.clear()
        self._held.clear()
        self._admin.disconnect()

    # The broker

    def _with_broker(self, do: Callable[[Link], object], *, join: bool = True) -> bool:
        """Do something with the broker; return whether there is one."""
        if self._link is None and join:
            self._join()
        if self._link is None:
            return False
        try:
            do(self._link)
        except ConnectionError:
            self._lose()
            return False
        self._note(self._link)
        return True

    def _join(self) -> None:
        """Find the broker or start it, unless that has gone wrong too often."""
        if self._losses > _LOSSES:
            return
        parameters = {**self.server.parameters(self.server.dbname), "application_name": APPLICATION}
        try:
            key = key_of(self._admin.identity, sorted(parameters.items()))
            link = Link(key, server=parameters, template=self.template)
            held = [*self._held, *(name for name, _ in self._next)]
            if held:
                link.say("mine", names=held)
            link.want(AHEAD - len(self._next))
        except ConnectionError:
            self._lose()
        except (OSError, EngineError) as error:
            self._losses = _LOSSES
            self._lose(str(error))
        else:
            self._link = link

    def _lose(self, why: str = "its process ends again and again; see the server's log") -> None:
        """Go on without the broker, at least for now."""
        if self._link is not None:
            self.left += self._link.left
            self._link.close()
            self._link = None
        self._losses += 1
        if self._losses > _LOSSES:
            warnings.warn(
                f"podjig makes each database when a test asks for it, which takes longer: no broker process ({why})",
                stacklevel=2,
            )

    def _note(self, link: Link) -> None:
        """Take over what the broker has said."""
        if link.token:
            with suppress(IsolationError):  # the server is gone: what is asked of it next says so
                self._admin.speak_for(link.token)
        if link.left:
            self.left += link.left
            link.left = []

    def _refill(self, link: Link) -> None:
        """Take what the broker gave, and ask for more."""
        link.listen()
        while link.ready:
            self._next.append((link.ready.popleft(), None))
        link.want(AHEAD - len(self._next))

    def _wait(self, link: Link) -> None:
        """Wait for a database, if the broker is there yet and is not too slow."""
        if not link.token:
            return
        link.want(1)
        link.say("hurry")
        until = time.monotonic() + PATIENCE
        while not link.ready and (left := until - time.monotonic()) > 0:
            link.listen(left)
            if link.failure is not None:
                failure, link.failure = link.failure, None
                raise failure
        while link.ready:
            self._next.append((link.ready.popleft(), None))

    def _flush(self, link: Link) -> None:
        """Wait until what was given back is dropped, and with it what was left behind is known."""
        if not self._gave:
            return
        link.flushed = False
        link.say("flush")
        until = time.monotonic() + _FLUSH
        while not link.flushed and (left := until - time.monotonic()) > 0:
            link.listen(left)

    def _make(self) -> str:
        """Make a database here and now."""
        name = pool_name()
        if self._link is not None:
            self._with_broker(lambda link: link.say("mine", names=[name]))
        try:
            clone(self._admin.connection, self.template, name)
        except IsolationError:
            if not self._admin.is_lost:
                raise
            clone(self._admin.connection, self.template, name, again=True)
        return name


def _conninfo(server: PostgresServer) -> str:
    """Return a server's connection string, but for the database: libpq takes its time to make one."""
    parameters = server.parameters(server.dbname)
    del parameters["dbname"]
    made: str = psycopg().conninfo.make_conninfo("", **parameters)
    return made
