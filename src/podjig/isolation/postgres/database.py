"""One database, given to one test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from podjig.errors import DefinitionError
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.server import PostgresServer
from podjig.services.postgres import DRIVERS

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection

    from podjig.isolation.protocol import StateAccess

_SETTABLE = {"autocommit", "row_factory", "prepare_threshold", "cursor_factory"}
"""What psycopg lets one change on a connection that is open."""


class PostgresDatabase:
    """A clean database that is one test's own.

    Attributes:
        name: Its name.
        host: The server's host, as tests reach it.
        port: The server's port there.
        user: Who to connect as.
        password: That user's password.
    """

    def __init__(self, server: PostgresServer, name: str, *, warm: Connection[Any] | None = None) -> None:
        """Describe a database.

        Args:
            server: Its server.
            name: Its name.
            warm: A connection to it, opened in advance: the first that :meth:`connect` gives.
        """
        self.server = server
        self.name = name
        self.host: str = server.host
        self.port: int = server.port
        self.user: str = server.user
        self.password: str = server.password
        self._warm = warm

    @property
    def url(self) -> str:
        """Its URL for SQLAlchemy with psycopg 3: ``postgresql+psycopg://test:test@localhost:32789/name``."""
        return self.get_url("psycopg")

    @property
    def dsn(self) -> str:
        """Its URL for libpq, psycopg and asyncpg: ``postgresql://test:test@localhost:32789/name``."""
        return self.get_url(None)

    def get_url(self, driver: str | None = None) -> str:
        """Return its URL for SQLAlchemy with a driver of yours (``"asyncpg"``); for libpq where that is ``None``.

        Raises:
            DefinitionError: The driver is unknown.
        """
        if driver is not None and driver not in DRIVERS:
            raise DefinitionError(
                f"unsupported driver {driver!r} for a PostgreSQL URL", hint=f"use {', '.join(DRIVERS)}, or None"
            )
        return self.server.url(self.name, driver)

    def connect(self, **kwargs: Any) -> Connection[Any]:
        """Return a psycopg 3 connection to it, which closes itself at the end of a ``with`` block.

        Args:
            kwargs: For ``psycopg.connect``, like ``autocommit=True`` or ``row_factory=dict_row``.

        Raises:
            PodjigError: psycopg is not installed.
        """
        warm, self._warm = self._warm, None
        if warm is not None and not warm.closed:
            if kwargs.keys() <= _SETTABLE:
                for name, value in kwargs.items():
                    setattr(warm, name, value)
                return warm
            warm.close()
        connection: Connection[Any] = psycopg().connect(**{**self.server.parameters(self.name), **kwargs})
        return connection

    async def aconnect(self, **kwargs: Any) -> AsyncConnection[Any]:
        """Return an asynchronous psycopg 3 connection to it, for ``async with await database.aconnect() as ...``.

        Args:
            kwargs: For ``psycopg.AsyncConnection.connect``.

        Raises:
            PodjigError: psycopg is not installed.
        """
        parameters = {**self.server.parameters(self.name), **kwargs}
        connection: AsyncConnection[Any] = await psycopg().AsyncConnection.connect(**parameters)
        return connection

    def access(self) -> StateAccess:
        """Return the commands by which people open it, and remove it, where it is kept."""
        from podjig.isolation.postgres.access import access_to

        return access_to(self.server, self.name)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} of {self.server.description}>"
