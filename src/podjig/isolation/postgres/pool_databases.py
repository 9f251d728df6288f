"""Mode ``pool``: a broker process keeps clones ready, and drops used ones in the background.

A test process has two clones in advance, each with a connection on its way, so that a test finds both done. All that
takes time is done by the broker and the server; in the test process there is no thread. What the broker has to say is
read when a database is asked for or given back.
"""

from __future__ import annotations

import os

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

    def __init__(self, server: PostgresServer, *, migration: Migration, worker: str = "", workers: int = 1) -> None:
        """Make the template unless the server has it.

        Args:
            server: The server.
            migration: What makes the schema.
            worker: This process's name among those that share the server.
            workers: How many these are.

        Raises:
            MigrationError: The migration failed.
            IsolationError: The server refuses.
        """
        self._server = server
        self._template = ensure_template(server, migration)
        self._worker = worker
        self._workers = workers
        self._client: PoolClient | None = None
        self._given: dict[str, str] = {}
        self._abandoned: list[PoolClient] = []

    def acquire(self, requester: str = "") -> PostgresDatabase:
        """Return a clean database; see :class:`podjig.isolation.protocol.Isolation`.

        Raises:
            IsolationError: There is none to be had.
        """
        database = self._here().acquire()
        self._given[database.name] = requester
        return database

    def release(self, state: PostgresDatabase, *, keep: bool = False) -> None:
        """Take a database back; the broker drops it. One that an ended process had is gone with it."""
        requester = self._given.pop(state.name, None)
        if requester is not None and isinstance(state, WarmDatabase):
            self._here().release(state, requester, keep=keep)

    def leftovers(self) -> list[Leftover]:
        """Return what was found left behind since the last call; the broker finds it some milliseconds after a test."""
        return self._here().leftovers()

    def close(self) -> None:
        """Give back everything but what is kept. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None and client.pid == os.getpid():
            client.close()
        self._given.clear()

    def _here(self) -> PoolClient:
        """Return what this process has of the pool."""
        if self._client is not None and self._client.pid != os.getpid():
            # A forked child: to close the parent's connections would end them. They are kept from being collected.
            self._abandoned.append(self._client)
            self._client = None
            self._given.clear()
        if self._client is None:
            self._client = PoolClient(self._server, self._template, workers=self._workers)
        return self._client
