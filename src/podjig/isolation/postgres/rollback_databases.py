"""Mode ``rollback``: one database for each process, one transaction for each test."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError, PodjigError
from podjig.isolation.postgres.clone import clone
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.dropper import Dropper
from podjig.isolation.postgres.migration.protocol import Migration
from podjig.isolation.postgres.names import database_name
from podjig.isolation.postgres.rollback_database import RollbackDatabase
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template
from podjig.isolation.protocol import Leftover

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from podjig.isolation.postgres.rollback.kept_engine import KeptEngine


class RollbackDatabases:
    """Transactions in a clone of one template. A test costs two round trips.

    What it guarantees: all that a test did through its database is gone, DDL and roles too, but for values taken from
    sequences. If a test ends the transaction by a COMMIT sent as SQL, its database is dropped, the next test has
    another, and :meth:`leftovers` tells.
    """

    def __init__(
        self,
        server: PostgresServer,
        *,
        migration: Migration,
        worker: str = "",
        workers: int = 1,  # noqa: ARG002  every way takes the same
    ) -> None:
        """Remember what to clone.

        Args:
            server: The server.
            migration: What makes the schema.
            worker: This process's name among those that share the server.
            workers: How many they are.
        """
        self._server = server
        self._migration = migration
        self._worker = worker
        self._template: str | None = None
        self._free: list[_Kept] = []
        self._given: dict[int, tuple[_Kept, str]] = {}
        self._inherited: list[_Kept] = []
        self._leftovers: list[Leftover] = []
        self._begin()

    def acquire(self, requester: str = "") -> RollbackDatabase:
        """Return the database, with a transaction begun; another one if it is given out already."""
        if os.getpid() != self._owner:
            self._begin()  # a forked child: what it inherited is its parent's
        kept = self._begun(requester)
        state = RollbackDatabase(self._server, kept.name, connect=kept.connect, engine=kept.engine)
        self._given[id(state)] = (kept, requester)
        kept.state = state
        return state

    def release(self, state: PostgresDatabase, *, keep: bool = False) -> None:
        """Roll the transaction back. What is kept is committed, but for what has failed, for others to look at."""
        if os.getpid() != self._owner or id(state) not in self._given:
            return
        kept, requester = self._given.pop(id(state))
        kept.end(keep=keep)
        if keep:
            if kept.trouble:
                self._leftovers.append(Leftover(requester=requester, what=kept.trouble))
            kept.connection.close()
        elif kept.trouble or kept.connection.closed:
            if kept.trouble:
                self._leftovers.append(Leftover(requester=requester, what=kept.trouble))
            self._discard(kept, requester)
        else:
            self._free.append(kept)

    def leftovers(self) -> list[Leftover]:
        """Return which tests ended their transaction, and what was found in databases when they were dropped."""
        found, self._leftovers = self._leftovers, []
        return found + self._dropper.leftovers()

    def close(self) -> None:
        """Drop the databases but those kept."""
        if os.getpid() != self._owner:
            return
        for kept, requester in list(self._given.values()):
            kept.end()
            self._discard(kept, requester)
        self._given.clear()
        while self._free:
            self._discard(self._free.pop(), "")
        self._dropper.close()

    def _begun(self, requester: str) -> _Kept:
        """Return one with its transaction begun."""
        while self._free:
            kept = self._free.pop()
            try:
                kept.begin()
            except PodjigError:  # its connection was lost since
                self._discard(kept, requester)
            else:
                return kept
        kept = self._make()
        kept.begin()
        return kept

    def _make(self) -> _Kept:
        if self._template is None:
            self._template = ensure_template(self._server, self._migration)
        name = database_name(self._worker)
        connection = self._server.connect()
        try:
            clone(connection, self._template, name)
        finally:
            connection.close()
        return _Kept(self._server, name)

    def _discard(self, kept: _Kept, requester: str) -> None:
        kept.connection.close()
        self._dropper.drop(kept.name, requester)

    def _begin(self) -> None:
        """Begin in this process. What a fork left us is kept unused: it is our parent's to close."""
        self._owner = os.getpid()
        self._inherited += [*self._free, *(kept for kept, _ in self._given.values())]
        self._free, self._given = [], {}
        self._leftovers.clear()
        self._dropper = Dropper(self._server)


class _Kept:
    """A database and the connection to it that all its tests share, one after the other."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        from podjig.isolation.postgres.rollback.psycopg_connection import PsycopgRollback, deferred_constraints

        self.server = server
        self.name = name
        self.connection: Any = psycopg().connect(**server.parameters(name))
        self.state: RollbackDatabase | None = None
        self.trouble = ""
        self._rollback = PsycopgRollback(self.connection, deferred_constraints(self.connection.pgconn))
        self._engine: KeptEngine | None = None

    def begin(self) -> None:
        """Begin a test's transaction."""
        self._rollback.begin()

    def connect(self, **kwargs: Any) -> Any:
        """Return a connection inside it."""
        return self._rollback.connection(**kwargs)

    def engine(self) -> Engine:
        """Return an engine inside it."""
        if self._engine is None:
            from podjig.isolation.postgres.rollback.kept_engine import KeptEngine

            self._engine = KeptEngine(self.server, self.name, self.connection)
        return self._engine.begin(self._rollback.ledger)

    def end(self, *, keep: bool = False) -> None:
        """End it; :attr:`trouble` says why the database cannot be used again, if so."""
        if self.state is not None:
            self.state.end()
            self.state = None
        if self._engine is not None:
            self._engine.end()
        try:
            if keep:
                self._rollback.keep()
            else:
                self._rollback.end()
        except IsolationError as error:
            self.trouble = error.message if keep else f"{error.message} (database {self.name!r} is dropped)"
