"""Clean databases of one server, by whichever way: the entry for tests without pytest, and for the plugin."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from podjig.errors import MigrationError
from podjig.isolation.databases import Databases, check_workers
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.migration.choice import Migrate, migration
from podjig.isolation.postgres.modes import check_mode
from podjig.isolation.postgres.server import PostgresServer

if TYPE_CHECKING:
    from podjig.services.postgres import PostgresContainer


class PostgresDatabases(Databases[PostgresDatabase]):
    """Gives out clean databases of one server, each with the schema that a migration makes.

        with PostgresDatabases(pg, migrate="myapp.migrations:upgrade") as databases:
            with databases.database() as database:
                with database.connect() as connection: ...

    The migration is run once, at the first use, into a template that serves as long as the server lives.

    Attributes:
        server: The server.
        mode: The way.
    """

    def __init__(
        self,
        server: PostgresContainer | PostgresServer | str,
        *,
        migrate: Migrate = None,
        mode: str = "pool",
        worker: str = "",
        workers: int = 1,
        undo: bool = True,
    ) -> None:
        """Check everything that can be checked before the first use.

        Args:
            server: A started container, or the URL of a server and a superuser of it.
            migrate: What makes the schema; see :func:`podjig.migration`.
            mode: ``"pool"``, ``"template"``, ``"rollback"`` or ``"truncate"``.
            worker: This process's name among those that share the server, like pytest-xdist's ``gw0``.
            workers: How many they are.
            undo: Whether what is changed on the whole server while a database is given out (roles, settings) is
                undone when it is given back, in all modes but ``rollback``, where it is part of the transaction.
                ``False`` for databases that outlive a test: others come and go meanwhile, and could not undo theirs.

        Raises:
            DefinitionError: A value is wrong; the message names it.
            MigrationError: The migration cannot be imported.
            NotStartedError: The container is not started.
            PodjigError: psycopg is not installed.
        """
        check_mode(mode)
        check_workers(workers)
        psycopg()
        self.server: PostgresServer = PostgresServer.of(server)
        module = import_module(f"podjig.isolation.postgres.{mode}_databases")
        make = getattr(module, f"{mode.capitalize()}Databases")
        self._failure: MigrationError | None = None
        way = make(self.server, migration=migration(migrate), worker=worker, workers=workers, undo=undo)
        super().__init__(mode, way)

    def acquire(self, requester: str = "") -> PostgresDatabase:
        """Return a clean database, nobody else's until it is released.

        Args:
            requester: Who asks, for messages: a pytest node id.

        Raises:
            MigrationError: The migration failed.
            IsolationError: There is no database to be had.
        """
        if self._failure is not None:  # it would fail again, however long that takes
            failure = self._failure
            raise MigrationError(failure.message, hint=failure.hint, logs=failure.logs) from failure.__cause__
        try:
            return super().acquire(requester)
        except MigrationError as error:
            self._failure = error
            raise

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.mode} of {self.server.description}>"
