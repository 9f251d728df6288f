"""A database inside a transaction: its one test sees what it did, nobody else does, and at the end it is gone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.server import PostgresServer

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection
    from sqlalchemy import Engine


class RollbackDatabase(PostgresDatabase):
    """A clean database that is one test's own, as long as it uses :meth:`connect`, :meth:`aconnect` and :meth:`engine`.

    Whoever connects by himself is outside the transaction, sees nothing of the test's work and what he commits would
    stay. So there are no URLs.
    """

    def __init__(
        self,
        server: PostgresServer,
        name: str,
        *,
        connect: Callable[..., Connection[Any]],
        aconnect: Callable[..., AsyncConnection[Any]],
        engine: Callable[[], Engine],
    ) -> None:
        """Describe a database.

        Args:
            server: Its server.
            name: Its name.
            connect: Gives a connection inside the transaction.
            aconnect: Gives an asynchronous one.
            engine: Gives an engine all of whose connections are.
        """
        super().__init__(server, name)
        self._connect = connect
        self._aconnect = aconnect
        self._engine = engine
        self._over = False

    def connect(self, **kwargs: Any) -> Connection[Any]:
        """Return a psycopg 3 connection inside the transaction; it commits, rolls back and closes as usual.

        Several are several users of one connection: see :class:`~podjig.isolation.postgres.rollback.ledger.Ledger`.

        Args:
            kwargs: ``autocommit``, ``row_factory``, ``cursor_factory``, ``prepare_threshold`` or ``context``.

        Raises:
            DefinitionError: Something else is asked for: the connection is open already.
            IsolationError: The test is over.
        """
        self._check()
        return self._connect(**kwargs)

    async def aconnect(self, **kwargs: Any) -> AsyncConnection[Any]:
        """Return an asynchronous psycopg 3 connection inside the transaction, as :meth:`connect` a synchronous one.

        Only one statement of all connections is under way at a time: asynchronous ones wait for each other, a
        synchronous one in between is refused.

        Args:
            kwargs: As for :meth:`connect`.

        Raises:
            DefinitionError: Something else is asked for: the connection is open already.
            IsolationError: The test is over.
        """
        self._check()
        return self._aconnect(**kwargs)

    def engine(self) -> Engine:
        """Return a SQLAlchemy engine all of whose connections are inside the transaction. It needs no ``dispose()``.

        Raises:
            IsolationError: The test is over.
        """
        self._check()
        return self._engine()

    def get_url(self, driver: str | None = None) -> str:  # noqa: ARG002  as of every database
        """Refuse: whoever connects by a URL is outside the transaction.

        Raises:
            IsolationError: Always.
        """
        raise IsolationError(
            f"database {self.name!r} has no URL in the mode 'rollback': another connection would neither see what the "
            "test did nor be rolled back",
            hint="use connect(), aconnect() or engine(); or mode='pool', where each test has a whole database",
        )

    def end(self) -> None:
        """Give nothing out any more."""
        self._over = True

    def _check(self) -> None:
        if self._over:
            raise IsolationError(
                f"database {self.name!r} was given back: its transaction is over",
                hint="use it inside the test, or in fixtures that end before it does",
            )
