"""Mode ``rollback``: one database for each process, one transaction for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError, PodjigError
from podjig.isolation.postgres.cloning import CloningDatabases
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.rollback_database import RollbackDatabase
from podjig.isolation.postgres.server import PostgresServer

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from podjig.isolation.postgres.rollback.kept_engine import KeptEngine


class RollbackDatabases(CloningDatabases["_Kept"]):
    """Transactions in a clone of one template. A test costs two round trips.

    What it guarantees: all that a test did through its database is gone, DDL and roles too, but for values taken from
    sequences. If a test ends the transaction by a COMMIT sent as SQL, that is an error; its database is dropped and
    the next test has another.
    """

    _ours = 4  # the one that clones, the one that drops, the one that is given out, and an engine's first
    _of_a_test = 0

    def acquire(self, requester: str = "") -> RollbackDatabase:
        """Return the database, with a transaction begun; another one if it is given out already.

        Raises:
            MigrationError: The migration failed.
            IsolationError: There is none to be had.
        """
        if self._is_inherited:
            self._begin()
        kept = self._begun(requester)
        state = RollbackDatabase(
            self._server, kept.name, connect=kept.connect, aconnect=kept.aconnect, engine=kept.engine
        )
        kept.state = state
        self._give(state, kept, requester, guarded=False)
        return state

    def release(self, state: PostgresDatabase, *, keep: bool = False) -> None:
        """Roll the transaction back. What is kept is committed, but for what has failed, for others to look at.

        Raises:
            IsolationError: The test ended the transaction itself.
        """
        given = self._taken(state)
        if given is None:
            return
        kept = given.clone
        try:
            kept.end(keep=keep)
        except BaseException as error:
            if not (keep and isinstance(error, IsolationError)):
                self._discard(kept, given.requester)
                raise
            self._tell(given.requester, [error.message])
        if keep:
            self._keep(kept, given.requester)
        elif kept.connection.closed:
            self._discard(kept, given.requester)
        else:
            self._free.append(kept)

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
        name = self._made(self._worker)
        try:
            kept = _Kept(self._server, name)
            kept.begin()
        except BaseException:
            self._dropper.drop(name, "")
            raise
        return kept


class _Kept:
    """A database and the connection to it that all its tests share, one after the other."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        from podjig.isolation.postgres.rollback.psycopg_connection import PsycopgRollback, deferred_constraints

        self.server = server
        self.name: str = name
        # The test sees it: it is like one of the test's own.
        self.connection: Any = server.connect(name, autocommit=False, application_name=None)
        self.state: RollbackDatabase | None = None
        self._rollback = PsycopgRollback(self.connection, deferred_constraints(self.connection.pgconn))
        self._engine: KeptEngine | None = None

    def begin(self) -> None:
        """Begin a test's transaction."""
        self._rollback.begin()

    def connect(self, **kwargs: Any) -> Any:
        """Return a connection inside it."""
        return self._rollback.connection(**kwargs)

    def aconnect(self, **kwargs: Any) -> Any:
        """Return an asynchronous connection inside it."""
        return self._rollback.async_connection(**kwargs)

    def engine(self) -> Engine:
        """Return an engine inside it."""
        if self._engine is None:
            from podjig.isolation.postgres.rollback.kept_engine import KeptEngine

            self._engine = KeptEngine(self.server, self.name, self.connection)
        return self._engine.begin(self._rollback.ledger)

    def end(self, *, keep: bool = False) -> None:
        """End it.

        Raises:
            IsolationError: The transaction was ended by the code under test, or what it did cannot be committed.
        """
        self._cut_off()
        if keep:
            self._rollback.keep()
        else:
            self._rollback.end()

    def close(self) -> None:
        """Close the connection."""
        self._cut_off()
        self.connection.close()

    def _cut_off(self) -> None:
        """Take the transaction away from whoever still uses it."""
        if self.state is not None:
            self.state.end()
            self.state = None
        if self._engine is not None:
            self._engine.end()
