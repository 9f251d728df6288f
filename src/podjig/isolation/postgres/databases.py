"""Clean databases of one server, by whichever way: the entry for tests without pytest, and for the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING

from podjig.errors import DefinitionError, MigrationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.migration.choice import Migrate, migration
from podjig.isolation.postgres.modes import check_mode
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.protocol import Isolation, Leftover

if TYPE_CHECKING:
    from typing_extensions import Self

    from podjig.services.postgres import PostgresContainer


class PostgresDatabases:
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
    ) -> None:
        """Check everything that can be checked before the first use.

        Args:
            server: A started container, or the URL of a server and a superuser of it.
            migrate: What makes the schema; see :func:`podjig.migration`.
            mode: ``"pool"``, ``"template"``, ``"rollback"`` or ``"truncate"``.
            worker: This process's name among those that share the server, like pytest-xdist's ``gw0``.
            workers: How many they are.

        Raises:
            DefinitionError: A value is wrong; the message names it.
            MigrationError: The migration cannot be imported.
            NotStartedError: The container is not started.
            PodjigError: psycopg is not installed.
        """
        self.mode = check_mode(mode)
        if not isinstance(workers, int) or workers < 1:
            raise DefinitionError(f"workers is {workers!r}", hint="give how many processes share the server")
        psycopg()
        self.server = PostgresServer.of(server)
        module = import_module(f"podjig.isolation.postgres.{mode}_databases")
        make = getattr(module, f"{mode.capitalize()}Databases")
        self._failure: MigrationError | None = None
        self._ways: Isolation[PostgresDatabase] = make(
            self.server, migration=migration(migrate), worker=worker, workers=workers
        )

    def acquire(self, requester: str = "") -> PostgresDatabase:
        """Return a clean database, nobody else's until it is released.

        Args:
            requester: Who asks, for messages: a pytest node id.

        Raises:
            MigrationError: The migration failed.
            IsolationError: There is no database to be had.
        """
        if self._failure is not None:  # it would fail again, however long that takes
            raise MigrationError(self._failure.message, hint=self._failure.hint, logs=self._failure.logs)
        try:
            return self._ways.acquire(requester)
        except MigrationError as error:
            self._failure = error
            raise

    def release(self, state: PostgresDatabase, *, keep: bool = False) -> None:
        """Take a database back, whatever was done to it.

        Args:
            state: What :meth:`acquire` returned.
            keep: Leave it as it is, to be looked at.
        """
        self._ways.release(state, keep=keep)

    def leftovers(self) -> list[Leftover]:
        """Return what was found left behind in databases since the last call."""
        return self._ways.leftovers()

    def close(self) -> None:
        """Drop every database that was given out but those kept. Safe to call twice."""
        self._ways.close()

    @contextmanager
    def database(self, requester: str = "") -> Iterator[PostgresDatabase]:
        """Give a clean database for the length of the block."""
        state = self.acquire(requester)
        try:
            yield state
        finally:
            self.release(state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.mode} of {self.server.description}>"
