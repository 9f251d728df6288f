"""asyncpg connections whose transactions are savepoints of one that is rolled back.

asyncpg itself nests ``transaction()`` blocks as savepoints in an open transaction. What is added here: a statement on
its own that fails does not take the rest with it, BEGIN, COMMIT and ROLLBACK sent through ``execute`` are translated,
and a commit checks deferred constraints.
"""

# ruff: noqa: SLF001  a transaction can be replaced only from inside the driver

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from podjig.errors import DefinitionError
from podjig.isolation.postgres.rollback.ledger import DEFERRED, LOST, OUTER, ended_by_hand, sqlstate_of

_BEGIN = ("BEGIN", "START TRANSACTION")
_COMMIT = ("COMMIT", "END")
_ROLLBACK = ("ROLLBACK", "ABORT")
_BLOCK = "__asyncpg_savepoint_"
"""How asyncpg names the savepoints of its ``transaction()`` blocks."""


class _Rollback:
    """Put in front of a connection's class for as long as it is to be rolled back."""

    __slots__ = ()

    _podjig: AsyncpgRollback

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        if not args:
            words = " ".join(query.upper().split()).rstrip("; ")
            for suffix in (" TRANSACTION", " WORK"):
                if words != "START TRANSACTION":
                    words = words.removesuffix(suffix)
            translated = await self._podjig.translate(words, query)
            if translated:
                return translated
        return str(await self._podjig.guard(super().execute, query, *args, timeout=timeout))  # type: ignore[misc]

    async def prepare(self, *args: Any, **kwargs: Any) -> Any:
        statement = await self._podjig.guard(super().prepare, *args, **kwargs)  # type: ignore[misc]
        statement.__class__ = self._podjig.statement_class(type(statement))
        return statement

    def transaction(self, **kwargs: Any) -> Any:  # noqa: ARG002  a savepoint has no isolation level of its own
        return super().transaction()  # type: ignore[misc]


class _Statement:
    """Put in front of the class of a statement that was prepared meanwhile."""

    __slots__ = ()

    _podjig: AsyncpgRollback


def _guard(kind: type, of: type, *names: str) -> None:
    """Have methods of a class guarded, as far as this release of asyncpg has them."""
    for name in names:
        if hasattr(of, name):
            setattr(kind, name, _guarded(kind, name))


def _guarded(kind: type, name: str) -> Callable[..., Awaitable[Any]]:
    async def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        rollback: AsyncpgRollback = self._podjig
        return await rollback.guard(getattr(super(kind, self), name), *args, **kwargs)

    method.__name__ = name
    return method


_FETCHES = ("executemany", "fetch", "fetchmany", "fetchrow", "fetchval")
_guard(_Statement, PreparedStatement, *_FETCHES)
_guard(_Rollback, asyncpg.Connection, *_FETCHES, "copy_from_query", "copy_from_table", "copy_records_to_table",
       "copy_to_table")  # fmt: skip


class AsyncpgRollback:
    """One transaction on an asyncpg connection that is rolled back at its end.

    Args:
        connection: With no transaction open; one of a pool as well.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = getattr(connection, "_con", connection)
        self._kind = type(self._connection)
        self._transaction: Any = None
        self._deferred: tuple[str, ...] = ()
        self._open: list[str] = []  # the savepoints that stand for the user's transactions
        self._number = 0
        self._over = False
        self._statements: dict[type, type] = {}

    async def begin(self) -> None:
        """Begin.

        Raises:
            DefinitionError: The connection is closed, or has a transaction open.
        """
        connection = self._connection
        if connection is None or connection.is_closed() or connection.is_in_transaction():
            state = "has a transaction open" if connection is not None and not connection.is_closed() else "is closed"
            raise DefinitionError(
                f"the connection cannot be rolled back for a test: it {state}",
                hint="give an open connection before its first transaction",
            )
        self._deferred = tuple(row[0] for row in await connection.fetch(DEFERRED))
        self._transaction = connection.transaction()
        await self._transaction.start()
        await connection.execute(f"SAVEPOINT {OUTER}")
        connection.__class__ = type(
            f"Rollback{self._kind.__name__}", (_Rollback, self._kind), {"__slots__": (), "_podjig": self}
        )

    async def end(self) -> None:
        """Roll everything back.

        Raises:
            IsolationError: The transaction was ended by the code under test: something may have been kept.
        """
        connection = self._connection
        connection.__class__ = self._kind
        self._over = True
        if connection.is_closed():
            return
        try:
            await connection.execute(f"ROLLBACK TO SAVEPOINT {OUTER}; SELECT pg_advisory_unlock_all()")
        except asyncpg.PostgresError as error:
            if sqlstate_of(error) in LOST:
                connection._top_xact = None
                await connection.execute("ROLLBACK")
                raise ended_by_hand() from None
            raise
        await self._transaction.rollback()

    async def translate(self, words: str, query: str) -> str:
        """Do what a statement that begins or ends a transaction would do; return nothing if it is none."""
        if words.startswith(f"SAVEPOINT {_BLOCK.upper()}"):
            self._open.append(words.split()[1])
        elif words.startswith(f"RELEASE SAVEPOINT {_BLOCK.upper()}"):
            await self._end(words.split()[2])
            return "RELEASE"
        elif words.startswith(f"ROLLBACK TO {_BLOCK.upper()}"):
            await self._undo(words.split()[2])
            return "ROLLBACK"
        elif words.startswith(_BEGIN):
            self._number += 1
            self._open.append(f"{OUTER}_{self._number}")
            await self._send(f"SAVEPOINT {self._open[-1]}")
            return "BEGIN"
        elif words in _COMMIT:
            if self._open:
                await self._end(self._open[0])
            return "COMMIT"
        elif words in _ROLLBACK:
            if self._open:
                await self._undo(self._open[0])
            return "ROLLBACK"
        else:
            return ""
        await self._send(query)
        return "SAVEPOINT"

    async def guard(self, call: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any) -> Any:
        """Make a call. Outside a transaction of the user's, its failure undoes only itself."""
        if self._open or self._over:
            return await call(*args, **kwargs)
        name = f"{OUTER}_alone"
        await self._send(f"SAVEPOINT {name}")
        try:
            result = await call(*args, **kwargs)
            await self._send("; ".join([*self._check(), f"RELEASE SAVEPOINT {name}"]))
        except asyncpg.PostgresError:
            await self._send(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
            raise
        return result

    def statement_class(self, kind: type) -> type:
        """Return the class that a prepared statement is to have instead of its own."""
        if kind not in self._statements:
            self._statements[kind] = type(
                f"Rollback{kind.__name__}", (_Statement, kind), {"__slots__": (), "_podjig": self}
            )
        return self._statements[kind]

    def _check(self) -> list[str]:
        if not self._deferred:
            return []
        return ["SET CONSTRAINTS ALL IMMEDIATE", f"SET CONSTRAINTS {', '.join(self._deferred)} DEFERRED"]

    async def _end(self, name: str) -> None:
        """Commit a transaction of the user's and those inside it; a failed one is rolled back, as the server does."""
        outermost = self._open[:1] == [name]
        try:
            await self._send("; ".join([*(self._check() if outermost else ()), f"RELEASE SAVEPOINT {name}"]))
        except asyncpg.InFailedSQLTransactionError:
            await self._undo(name)
        except asyncpg.PostgresError:
            await self._undo(name)
            raise
        else:
            self._forget(name)

    async def _undo(self, name: str) -> None:
        await self._send(f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}")
        self._forget(name)

    def _forget(self, name: str) -> None:
        if name in self._open:
            del self._open[self._open.index(name) :]

    async def _send(self, statements: str) -> None:
        try:
            await self._kind.execute(self._connection, statements)
        except asyncpg.PostgresError as error:
            if sqlstate_of(error) in LOST:
                raise ended_by_hand() from None
            raise
