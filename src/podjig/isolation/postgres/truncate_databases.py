"""Mode ``truncate``: one database for each process; after each test, what it wrote is removed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from podjig.isolation.postgres.cloning import CloningDatabases
from podjig.isolation.postgres.contents import Contents
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.drop import GRACE
from podjig.isolation.postgres.leftovers import InUse, look
from podjig.isolation.postgres.server import PostgresServer

if TYPE_CHECKING:
    from psycopg import Connection

_POLL = 0.001

_LOCKS = """
    SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


class TruncateDatabases(CloningDatabases["_Reused"]):
    """Clones of one template, used again and again. A test costs what looking takes, and what it wrote.

    What it guarantees: every table, sequence and large object is as migrated, whoever wrote to it and how. After DDL,
    or where something is left in the middle (an idle transaction, a running query, an advisory lock, a prepared
    transaction, a replication slot), the database is dropped and the next test has another; what was left is told of.
    So it is after a change of the whole server (roles, its settings), which is undone as in the mode ``template``.
    Connections that are idle may stay open, like those of an application's pool, and keep their own session's settings
    and temporary tables.
    """

    _ours = 4  # the one that clones, the one that drops, and two to the database

    def acquire(self, requester: str = "") -> PostgresDatabase:
        """Return the database, as migrated; another one if it is given out already.

        Raises:
            MigrationError: The migration failed.
            IsolationError: There is none to be had.
        """
        if self._is_inherited:
            self._begin()
        reused = self._free.pop() if self._free else self._opened()
        state = PostgresDatabase(self._server, reused.name)
        self._give(state, reused, requester)
        return state

    def release(self, state: PostgresDatabase, *, keep: bool = False) -> None:
        """Bring the database back to what it was."""
        given = self._taken(state)
        if given is None:
            return
        dropped = self._leave(given, keep=keep)
        if keep:
            self._keep(given.clone, given.requester)
        elif not dropped:
            if given.clone.restore():
                self._free.append(given.clone)
            else:
                self._discard(given.clone, given.requester)

    def _opened(self) -> _Reused:
        name = self._made(self._worker)
        try:
            return _Reused(self._server, name)
        except BaseException:
            self._dropper.drop(name, "")
            raise


class _Reused:
    """A database, two connections to it and its contents."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.name: str = name
        self._connection: Connection[Any] = server.connect(name)
        self._writer: Connection[Any] = server.connect(name)
        self._contents = Contents(self._connection, self._writer)

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
        self._writer.close()

    def restore(self) -> bool:
        """Bring the contents back; return whether that was possible."""
        try:
            return self._is_quiet() and self._contents.restore()
        except psycopg().Error:  # the database or our connection is gone, or its tables are locked
            return False

    def _is_quiet(self) -> bool:
        """Whether nobody is in the middle of anything; connections that are being closed are given a moment."""
        until = time.monotonic() + GRACE
        while True:
            found = look(self._connection, self.name, ours=(self._writer.info.backend_pid,))
            if not self._busy(found):
                return not (found.prepared or found.slots or found.subscriptions)
            if time.monotonic() > until:
                return False
            time.sleep(_POLL)

    def _busy(self, found: InUse) -> bool:
        clients = [session for session in found.sessions if session.is_a_clients]
        if any(session.state != "idle" for session in clients):
            return True
        return bool(clients) and self._connection.execute(_LOCKS.encode()).fetchone() == (True,)
