"""Mode ``template``: a database cloned when a test asks for one, dropped in the background when it is done."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError
from podjig.isolation.postgres.broker.orphans import drop_orphans, hold, mark_kept
from podjig.isolation.postgres.capacity import check_capacity
from podjig.isolation.postgres.clone import clone
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.dropper import Dropper
from podjig.isolation.postgres.migration.protocol import Migration
from podjig.isolation.postgres.names import database_name, process_token
from podjig.isolation.postgres.roles import Guard
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.server_state import State
from podjig.isolation.postgres.template import ensure_template
from podjig.isolation.protocol import Leftover

if TYPE_CHECKING:
    from psycopg import Connection


class TemplateDatabases:
    """Clones of one template. Simple: no other process has a part in it, but for the template itself."""

    def __init__(
        self,
        server: PostgresServer,
        *,
        migration: Migration,
        worker: str = "",  # noqa: ARG002  every way takes the same
        workers: int = 1,
        undo: bool = True,
    ) -> None:
        """Remember what to clone; nothing is done before the first use.

        Args:
            server: The server.
            migration: What makes the schema.
            worker: This process's name among those that share the server.
            workers: How many they are.
            undo: Whether what is changed on the whole server is undone.
        """
        self._server = server
        self._migration = migration
        self._workers = workers
        self._undo = undo
        self._template: str | None = None
        self._hold: _Hold | None = None
        self._inherited: list[_Hold] = []
        self._given: dict[str, _Given] = {}
        self._found: list[Leftover] = []
        self._begin()

    def acquire(self, requester: str = "") -> PostgresDatabase:
        """Return a clone made just now; see :class:`podjig.isolation.protocol.Isolation`.

        Raises:
            MigrationError: The migration failed.
            IsolationError: There is none to be had.
        """
        if os.getpid() != self._owner:
            self._begin()
        name = database_name(requester, spoken_for=True)
        try:
            held = self._cloned(name)
        except IsolationError:
            if self._hold is None or not self._hold.connection.closed:
                raise
            held = self._cloned(name)  # something ended our connection; where the server is gone, this says so
        before = held.guard.enter() if self._undo else None
        self._given[name] = _Given(requester=requester, before=before, hold=held)
        return PostgresDatabase(self._server, name)

    def release(self, state: PostgresDatabase, *, keep: bool = False) -> None:
        """Have a database dropped, soon; what its test changed on the whole server is undone at once.

        Raises:
            IsolationError: The server is gone.
        """
        if os.getpid() != self._owner or state.name not in self._given:
            return
        given = self._given.pop(state.name)
        dropped = keep

        def free() -> None:
            nonlocal dropped
            if not dropped:
                self._tell(given.requester, drop(self._held().connection, state.name))
                dropped = True

        try:
            if given.before and given.hold is self._hold and not given.hold.connection.closed:
                self._tell(given.requester, given.hold.guard.leave(given.before, free=free))
        except psycopg().Error:  # a test ended our connection: the next use opens another
            given.hold.connection.close()
        if keep:
            mark_kept(self._held().connection, state.name, given.requester)
        elif not dropped:
            self._dropper.drop(state.name, given.requester)

    def leftovers(self) -> list[Leftover]:
        """Return what was found in databases when they were dropped, and what was changed on the whole server."""
        found, self._found = self._found, []
        return found + self._dropper.leftovers()

    def close(self) -> None:
        """Drop what is still given out, and wait until all is dropped."""
        if os.getpid() != self._owner:
            return
        for name, given in self._given.items():
            self._dropper.drop(name, given.requester)
        self._given.clear()
        self._dropper.close()
        held, self._hold = self._hold, None
        if held is not None:
            held.connection.close()

    def _cloned(self, name: str) -> _Hold:
        held = self._held()
        assert self._template is not None
        clone(held.connection, self._template, name)
        return held

    def _held(self) -> _Hold:
        """Return our hold on the server; a new one, where a test ended the connection of the last."""
        if self._hold is None or self._hold.connection.closed:
            self._template = self._template or ensure_template(self._server, self._migration)
            connection = self._server.connect()
            try:
                check_capacity(connection, workers=self._workers, ours=2)
                hold(connection, process_token())
                self._sweep(connection)
                # Changes on a server that podjig did not start may be somebody else's: they are told only.
                undoes, shared = bool(self._server.container), self._workers > 1
                self._hold = _Hold(connection=connection, guard=Guard(connection, undoes=undoes, shared=shared))
            except BaseException:
                connection.close()
                raise
        return self._hold

    def _sweep(self, connection: Connection[Any]) -> None:
        """Drop what processes that were killed left on the server; what cannot be dropped is in nobody's way."""
        try:
            drop_orphans(connection)
        except IsolationError as error:
            self._tell("an earlier run", [f"a database that cannot be dropped ({error.message})"])

    def _tell(self, requester: str, left: list[str]) -> None:
        self._found += [Leftover(requester=requester, what=what) for what in left]

    def _begin(self) -> None:
        """Begin in this process. What a fork left us is kept unused: it is our parent's to close."""
        if self._hold is not None:
            self._inherited.append(self._hold)
        self._hold = None
        self._owner = os.getpid()
        self._given, self._found = {}, []
        self._dropper = Dropper(self._server)


@dataclass(frozen=True, kw_only=True)
class _Hold:
    """Our connection to the server, and what looks after the server's own state by it."""

    connection: Connection[Any]
    guard: Guard


@dataclass(frozen=True, kw_only=True)
class _Given:
    """A database that is given out: to whom, and how the server stood then, if that counts."""

    requester: str
    before: State | None
    hold: _Hold
