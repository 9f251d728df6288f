"""Mode ``pool``: a broker process keeps clones ready, and drops used ones in the background.

A test process has two clones in advance, each with a connection on its way, so that a test finds both done. All that
takes time is done by the broker and the server; in the test process there is no thread. What the broker has to say is
read when a database is asked for or given back.
"""

from __future__ import annotations

import os

from podjig.errors import IsolationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.migration.protocol import Migration
from podjig.isolation.postgres.pool_client import PoolClient
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template
from podjig.isolation.postgres.warm import WarmDatabase
from podjig.isolation.protocol import Leftover


class PoolDatabases:
    """Gives out clones of one template that a broker process made in advance.

    Works in a forked child as well: that has databases of its own from the same broker.
    """

    def __init__(
        self,
        server: PostgresServer,
        *,
        migration: Migration,
        worker: str = "",  # noqa: ARG002  every way takes the same
        workers: int = 1,
        undo: bool = True,
    ) -> None:
        """Remember what to make; nothing is done before the first use.

        Args:
            server: The server.
            migration: What makes the schema.
            worker: This process's name among those that share the server.
            workers: How many these are.
            undo: Whether what is changed on the whole server is undone.
        """
        self._server = server
        self._migration = migration
        self._template: str | None = None
        self._workers = workers
        self._undo = undo
        self._client: PoolClient | None = None
        self._given: dict[str, str] = {}
        self._left: list[Leftover] = []
        self._parents: list[PoolClient] = []

    def acquire(self, requester: str = "") -> PostgresDatabase:
        """Return a clean database; see :class:`podjig.isolation.protocol.Isolation`.

        Raises:
            MigrationError: The migration failed.
            IsolationError: There is none to be had.
        """
        self._leave_the_parents()
        if self._client is None:
            self._template = self._template or ensure_template(self._server, self._migration)
            self._client = PoolClient(self._server, self._template, workers=self._workers, undo=self._undo)
        database = self._client.acquire()
        self._given[database.name] = requester
        return database

    def release(self, state: PostgresDatabase, *, keep: bool = False) -> None:
        """Take a database back; the broker drops it. In a forked child, the parent's are the parent's."""
        self._leave_the_parents()
        requester = self._given.pop(state.name, None)
        if requester is not None and self._client is not None and isinstance(state, WarmDatabase):
            try:
                self._client.release(state, requester, keep=keep)
            except IsolationError as error:  # the test has ended the server; what is asked for next says so as an error
                what = f"database {state.name!r}, which could not be taken back: {error.message}"
                self._left.append(Leftover(requester=requester, what=what))

    def leftovers(self) -> list[Leftover]:
        """Return what was found left behind since the last call; the broker finds it some milliseconds after a test."""
        self._leave_the_parents()
        found, self._left = self._left, []
        return [*found, *(self._client.leftovers() if self._client is not None else [])]

    def close(self) -> None:
        """Give back everything but what is kept. Safe to call twice."""
        self._leave_the_parents()
        client, self._client = self._client, None
        if client is not None:
            client.close()
            self._left += client.left
        self._given.clear()

    def _leave_the_parents(self) -> None:
        """In a forked child, begin anew: to close the parent's connections would end them, so they are only kept."""
        if self._client is not None and self._client.pid != os.getpid():
            self._parents.append(self._client)
            self._client = None
            self._given.clear()
