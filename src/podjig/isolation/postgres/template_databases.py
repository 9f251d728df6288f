"""Mode ``template``: a database cloned when a test asks for one, dropped in the background when it is done."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from podjig.isolation.postgres.clone import clone
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.dropper import Dropper
from podjig.isolation.postgres.migration.protocol import Migration
from podjig.isolation.postgres.names import database_name
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template
from podjig.isolation.protocol import Leftover

if TYPE_CHECKING:
    from psycopg import Connection


class TemplateDatabases:
    """Clones of one template. Simple, and nothing is shared with other processes but the template."""

    def __init__(
        self,
        server: PostgresServer,
        *,
        migration: Migration,
        worker: str = "",  # noqa: ARG002  every way takes the same
        workers: int = 1,  # noqa: ARG002
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
        self._template: str | None = None
        self._connection: Connection[Any] | None = None
        self._inherited: Connection[Any] | None = None
        self._begin()

    def acquire(self, requester: str = "") -> PostgresDatabase:
        """Return a clone made just now."""
        if os.getpid() != self._owner:
            self._begin()  # a forked child: what it inherited is its parent's
        if self._template is None:
            self._template = ensure_template(self._server, self._migration)
        if self._connection is None or self._connection.closed:
            self._connection = self._server.connect()
        name = database_name(requester)
        clone(self._connection, self._template, name)
        self._given[name] = requester
        return PostgresDatabase(self._server, name)

    def release(self, state: PostgresDatabase, *, keep: bool = False) -> None:
        """Have a database dropped, soon."""
        if os.getpid() != self._owner or state.name not in self._given:
            return
        requester = self._given.pop(state.name)
        if not keep:
            self._dropper.drop(state.name, requester)

    def leftovers(self) -> list[Leftover]:
        """Return what was found in databases when they were dropped."""
        return self._dropper.leftovers()

    def close(self) -> None:
        """Drop what is still given out, and wait until all is dropped."""
        if os.getpid() != self._owner:
            return
        for name, requester in self._given.items():
            self._dropper.drop(name, requester)
        self._given.clear()
        self._dropper.close()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _begin(self) -> None:
        """Begin in this process. A connection that a fork left us is kept unused: it is our parent's to close."""
        self._owner = os.getpid()
        self._inherited, self._connection = self._connection, None
        self._given: dict[str, str] = {}
        self._dropper = Dropper(self._server)
