"""A SQLAlchemy engine on a connection that is kept from test to test."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine

from podjig.isolation.postgres.rollback.ledger import Ledger
from podjig.isolation.postgres.rollback.sqlalchemy_engine import SqlalchemyRollback

if TYPE_CHECKING:
    from psycopg import Connection

    from podjig.isolation.postgres.server import PostgresServer


class KeptEngine:
    """One engine for all tests of a process: making one takes longer than rolling back a test.

    Args:
        server: The server.
        dbname: The database.
        connection: The connection that is kept to it.
    """

    def __init__(self, server: PostgresServer, dbname: str, connection: Connection[Any]) -> None:
        self._connection = connection
        with closing(server.connect(dbname, autocommit=False)) as first:
            # What a dialect asks of a server at first must not be asked inside a test's transaction.
            self.engine: Engine = create_engine(
                "postgresql+psycopg://", creator=lambda: first, pool_reset_on_return=None
            )
            self.engine.connect().close()
        prepare = self.engine.dialect.on_connect()
        if prepare is not None:
            prepare(connection)
        self._rollback: SqlalchemyRollback | None = None

    def begin(self, ledger: Ledger) -> Engine:
        """Return the engine, as part of the transaction that a ledger is of; it may be so already."""
        if self._rollback is None:
            self._rollback = SqlalchemyRollback(self.engine)
            self._rollback.join(self._connection, ledger)
        return self.engine

    def end(self) -> None:
        """Take the connection from whatever still uses the engine."""
        rollback, self._rollback = self._rollback, None
        if rollback is not None:
            rollback.leave()
