"""Mode ``truncate``: one database for each process; after each test, what it wrote is removed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from podjig.isolation.postgres.clone import clone
from podjig.isolation.postgres.contents import Contents
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.drop import GRACE
from podjig.isolation.postgres.dropper import Dropper
from podjig.isolation.postgres.leftovers import InUse, look
from podjig.isolation.postgres.migration.protocol import Migration
from podjig.isolation.postgres.names import database_name
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template
from podjig.isolation.protocol import Leftover

if TYPE_CHECKING:
    from psycopg import Connection

_POLL = 0.001

_LOCKS = """
    SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


class TruncateDatabases:
    """Clones of one template, used again and again. A test costs what looking takes, and what it wrote.

    What it guarantees: every table, sequence and large object is as migrated, whoever wrote to it and how. After DDL,
    or where something is left in the middle (an idle transaction, a running query, an advisory lock, a prepared
    transaction, a replication slot), the database is dropped and the next test has another; what was left is told of.
    Connections that are idle may stay open, like those of an application's pool, and keep their own session's settings
    and temporary tables. What is the whole server's (roles, its settings) is not given back.
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
        self._free: list[_Reused] = []
        self._given: dict[int, tuple[_Reused, PostgresDatabase, str]] = {}
        self._inherited: list[object] = []
        self._begin()

    def acquire(self, requester: str = "") -> PostgresDatabase:
        """Return the database, as migrated; another one if it is given out already."""
        if os.getpid() != self._owner:
            self._begin()  # a forked child: what it inherited is its parent's
        reused = self._free.pop() if self._free else self._make()
        state = PostgresDatabase(self._server, reused.name)
        self._given[id(state)] = reused, state, requester
        return state

    def release(self, state: PostgresDatabase, *, keep: bool = False) -> None:
        """Bring the database back to what it was."""
        if os.getpid() != self._owner or id(state) not in self._given:
            return
        reused, _, requester = self._given.pop(id(state))
        if keep:
            reused.close()
        elif reused.restore():
            self._free.append(reused)
        else:
            self._discard(reused, requester)

    def leftovers(self) -> list[Leftover]:
        """Return what was found in databases when they were dropped."""
        return self._dropper.leftovers()

    def close(self) -> None:
        """Drop the databases but those kept."""
        if os.getpid() != self._owner:
            return
        for reused, _, requester in self._given.values():
            self._discard(reused, requester)
        self._given.clear()
        while self._free:
            self._discard(self._free.pop(), "")
        self._dropper.close()

    def _make(self) -> _Reused:
        if self._template is None:
            self._template = ensure_template(self._server, self._migration)
        name = database_name(self._worker)
        connection = self._server.connect()
        try:
            clone(connection, self._template, name)
        finally:
            connection.close()
        try:
            return _Reused(self._server, name)
        except BaseException:
            self._dropper.drop(name, "")
            raise

    def _discard(self, reused: _Reused, requester: str) -> None:
        reused.close()
        self._dropper.drop(reused.name, requester)

    def _begin(self) -> None:
        """Begin in this process. What a fork left us is kept unused: it is our parent's to close."""
        self._owner = os.getpid()
        self._inherited += [self._free, self._given]
        self._free, self._given = [], {}
        self._dropper = Dropper(self._server)


class _Reused:
    """A database, two connections to it and its contents."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.name = name
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
