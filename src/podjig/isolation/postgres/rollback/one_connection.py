"""A pool of SQLAlchemy's that has one connection for all who ask."""

# ruff: noqa: SLF001  a transaction can be replaced only from inside the driver

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from sqlalchemy.pool import Pool
from sqlalchemy.pool.base import _ConnectionRecord

from podjig.errors import IsolationError

if TYPE_CHECKING:
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

    from podjig.isolation.postgres.rollback.sqlalchemy_engine import SqlalchemyRollback


class OneConnection(Pool):
    """Gives out one connection as often as it is asked for it."""

    def __init__(self, model: Pool, dbapi: Any, rollback: SqlalchemyRollback) -> None:
        super().__init__(lambda: dbapi, dialect=model._dialect, logging_name=model.logging_name, echo=model.echo)
        self._dbapi = dbapi
        self._rollback = rollback
        self._free: list[ConnectionPoolEntry] = []
        self._all: weakref.WeakSet[Any] = weakref.WeakSet()

    def connect(self) -> PoolProxiedConnection:
        """Return it, so that also who works on it directly (``engine.raw_connection()``) commits to a savepoint."""
        given: Any = super().connect()
        user = weakref.ref(given)  # no cycle: what is forgotten must go at once
        given.commit = lambda: self._rollback.commit(user())
        given.rollback = lambda: self._rollback.rollback(user())
        given.cursor = lambda *args, **kwargs: self._rollback.cursor(user(), *args, **kwargs)
        return given  # type: ignore[no-any-return]

    def _do_get(self) -> ConnectionPoolEntry:
        if self._free:
            return self._free.pop()
        record = _ConnectionRecord(self, connect=False)  # no "connect" event: it was connected long ago
        record.dbapi_connection = self._dbapi
        self._all.add(record)
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        self._free.append(record)

    def dispose(self) -> None:
        """Do nothing: an application that disposes of its engine at its end goes on with the same connection."""

    def recreate(self) -> Pool:
        """Return itself, for the same reason."""
        return self

    def status(self) -> str:
        """Return what it is, for people."""
        return "one connection, rolled back at the end of the test"

    def cut_off(self) -> None:
        """Take the connection away from whoever still has it."""
        for record in list(self._all):
            record.dbapi_connection = _Ended()
            given = record.fairy_ref() if record.fairy_ref is not None else None
            if given is not None:
                given.dbapi_connection = _Ended()
                for name in ("commit", "rollback", "cursor"):
                    given.__dict__.pop(name, None)


class _Ended:
    """What a connection that outlives its test has instead of the real one."""

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise IsolationError(
            f"{name}() on a connection of a test that is over: its transaction has been rolled back",
            hint="open connections and sessions inside the test, or in fixtures that end before the rollback does",
        )
