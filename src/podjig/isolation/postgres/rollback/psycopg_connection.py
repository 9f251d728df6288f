"""psycopg 3 connections whose transactions are savepoints of one that is rolled back.

psycopg sends BEGIN, COMMIT and ROLLBACK in three generators that its synchronous and asynchronous connections share;
overriding these is what keeps every kind of cursor, COPY, pipelines and ``transaction()`` blocks working unchanged.
"""

# ruff: noqa: SLF001  a transaction can be replaced only from inside the driver

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg.adapt import AdaptersMap
from psycopg.pq import ExecStatus, TransactionStatus

from podjig.errors import DefinitionError, IsolationError
from podjig.isolation.postgres.rollback.ledger import BEGIN, DEFERRED, END, LOST, Ledger, ended_by_hand

_Steps = Generator[Any, Any, Any]


class _Info(psycopg.ConnectionInfo):
    """What is known of a connection, with the transaction status that its user expects."""

    idle = False

    @property
    def transaction_status(self) -> TransactionStatus:
        return TransactionStatus.IDLE if self.idle else super().transaction_status


class _Shared:
    """What the two kinds have in common, put in front of psycopg's class."""

    _podjig: Ledger
    _podjig_closed: bool

    # psycopg's
    pgconn: Any
    _adapters: Any
    _autocommit: bool
    _exec_command: Any
    _num_transactions: int
    _pipeline: Any
    _prepared: Any
    _tpc: Any

    def _start_query(self) -> _Steps:
        if self._num_transactions:
            return
        yield from self._open()

    def _open(self) -> _Steps:
        self._look()
        yield from self._send(self._podjig.before(self, autocommit=self._autocommit))

    def _commit_gen(self) -> _Steps:
        if self._num_transactions or self._tpc:
            yield from super()._commit_gen()  # type: ignore[misc]  # which refuses
        self._look()
        if not self._podjig.idle(self):
            yield from self._keep()

    def _rollback_gen(self) -> _Steps:
        if self._num_transactions or self._tpc:
            yield from super()._rollback_gen()  # type: ignore[misc]  # which refuses
        if self._pipeline:
            yield from self._pipeline._sync_gen()
        self._look()
        yield from self._send(self._podjig.rollback(self))
        self._prepared.clear()
        if hasattr(self._prepared, "maintain_gen"):
            yield from self._prepared.maintain_gen(self)
        else:  # before psycopg 3.2
            for command in self._prepared.get_maintenance_commands():
                yield from self._exec_command(command)

    def _keep(self) -> _Steps:
        """Do what a commit does."""
        try:
            yield from self._send(self._podjig.check(self))
        except psycopg.Error:
            self._podjig.aborted(True)
            yield from self._send(self._podjig.rollback(self))
            raise
        yield from self._send(self._podjig.commit(self))

    def _undo_on_close(self) -> _Steps:
        if self.pgconn.transaction_status == TransactionStatus.IDLE:
            return  # ended behind our back, which is told at the real end
        self._look()
        yield from self._send(self._podjig.rollback(self))

    def _tpc_begin_gen(self, xid: Any) -> _Steps:  # noqa: ARG002  psycopg's signature
        raise IsolationError(
            "two-phase commit cannot be rolled back: no test in the mode 'rollback' can use it",
            hint="use mode='pool' or 'template' for this test",
        )
        yield

    def _check_intrans_gen(self, attribute: str) -> _Steps:
        if not self._podjig.idle(self):
            yield from super()._check_intrans_gen(attribute)  # type: ignore[misc]  # which refuses

    def _check_connection_ok(self) -> None:
        if self._podjig_closed:
            raise psycopg.OperationalError("the connection is closed")
        super()._check_connection_ok()  # type: ignore[misc]

    def _look(self) -> None:
        """See what the last statement, whoever sent it, has left."""
        self._check_connection_ok()
        status = self.pgconn.transaction_status
        if status == TransactionStatus.IDLE:
            raise ended_by_hand()
        if status == TransactionStatus.ACTIVE and not self._pipeline:
            raise IsolationError(
                "a statement of another connection is under way, and in the mode 'rollback' all share one connection",
                hint="await it first; or use mode='pool', where each test has a whole database",
            )
        self._podjig.aborted(status == TransactionStatus.INERROR)

    def _send(self, statements: list[str]) -> _Steps:
        if not statements:
            return
        try:
            for statement in statements:
                yield from self._exec_command(statement.encode())
            if self._pipeline:
                yield from self._pipeline._sync_gen()
        except psycopg.Error as error:
            if error.sqlstate in LOST:
                raise ended_by_hand() from None
            raise

    @property
    def closed(self) -> bool:
        return self._podjig_closed or self.pgconn.status == psycopg.pq.ConnStatus.BAD

    @property
    def info(self) -> psycopg.ConnectionInfo:
        info = _Info(self.pgconn)
        info.idle = self._podjig.idle(self)
        return info

    def __del__(self) -> None:  # the real connection has an owner
        pass


class RollbackConnection(_Shared, psycopg.Connection[Any]):  # type: ignore[misc]
    """A psycopg connection of which nothing is kept."""

    def close(self) -> None:
        """Close it: what was not committed is undone. The real connection stays open."""
        if not self.closed:
            with self.lock:
                self.wait(self._undo_on_close())
        self._podjig_closed = True

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        """Begin a transaction, or a savepoint where one is open: as psycopg does."""
        outermost = not self._num_transactions and self._podjig.idle(self)
        if not self._num_transactions:
            with self.lock:
                self.wait(self._open())
        try:
            with super().transaction(savepoint_name, force_rollback) as block:
                yield block
        finally:
            if outermost and not self.closed:
                with self.lock:
                    self.wait(self._keep())


class AsyncRollbackConnection(_Shared, psycopg.AsyncConnection[Any]):  # type: ignore[misc]
    """An asynchronous psycopg connection of which nothing is kept."""

    async def close(self) -> None:
        """Close it: what was not committed is undone. The real connection stays open."""
        if not self.closed:
            async with self.lock:
                await self.wait(self._undo_on_close())
        self._podjig_closed = True

    @asynccontextmanager
    async def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> AsyncIterator[psycopg.AsyncTransaction]:
        """Begin a transaction, or a savepoint where one is open: as psycopg does."""
        outermost = not self._num_transactions and self._podjig.idle(self)
        if not self._num_transactions:
            async with self.lock:
                await self.wait(self._open())
        try:
            async with super().transaction(savepoint_name, force_rollback) as block:
                yield block
        finally:
            if outermost and not self.closed:
                async with self.lock:
                    await self.wait(self._keep())


class PsycopgRollback:
    """One transaction on a psycopg connection, synchronous or not, that is rolled back at its end.

    Beginning and ending it blocks for a round trip, also in an event loop: that is quicker than not to block.

    Args:
        connection: With no transaction open; left alone by others meanwhile.
        deferred: Its database's deferred constraints, if known already.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any],
        deferred: tuple[str, ...] | None = None,
    ) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._deferred = deferred
        self.ledger: Ledger = Ledger()
        self._listeners: list[list[Any]] = []
        self._lock: asyncio.Lock | None = None

    def begin(self) -> None:
        """Begin.

        Raises:
            DefinitionError: The connection is closed, or has a transaction open.
            IsolationError: The server refuses.
        """
        status = TransactionStatus(self._pgconn.transaction_status)
        if status != TransactionStatus.IDLE:
            raise DefinitionError(
                f"the connection cannot be rolled back for a test: its transaction status is {status.name}",
                hint="give an open connection before its first statement, or after commit() or rollback()",
            )
        if self._deferred is None:
            self._deferred = deferred_constraints(self._pgconn)
        self.ledger = Ledger(self._deferred)
        self._listeners = [list(each) for each in self._heard()]
        self._lock = None
        execute(self._pgconn, BEGIN)

    def connection(self, **settings: Any) -> Any:
        """Return a connection that is part of the transaction, of the same kind: one of as many as are wanted.

        Args:
            settings: ``autocommit``, ``row_factory``, ``cursor_factory``, ``prepare_threshold``, ``context``, as for
                ``psycopg.connect``.

        Raises:
            DefinitionError: Something else is among them.
        """
        kind = AsyncRollbackConnection if isinstance(self._connection, psycopg.AsyncConnection) else RollbackConnection
        return self._facade(kind, settings)

    def async_connection(self, **settings: Any) -> AsyncRollbackConnection:
        """Return an asynchronous connection that is part of a synchronous one's transaction.

        Args:
            settings: As for :meth:`connection`.

        Raises:
            DefinitionError: Something else is among them.
        """
        if self._lock is None:
            self._lock = asyncio.Lock()
        factories = {"cursor_factory": psycopg.AsyncCursor, "server_cursor_factory": psycopg.AsyncServerCursor}
        facade: AsyncRollbackConnection = self._facade(AsyncRollbackConnection, {**factories, **settings})
        facade.lock = self._lock
        return facade

    def _facade(self, kind: type[Any], settings: dict[str, Any]) -> Any:
        facade: Any = object.__new__(kind)
        facade.__dict__.update(self._connection.__dict__)  # the same lock, the same prepared statements
        facade.__dict__.update(_podjig=self.ledger, _podjig_closed=False, _num_transactions=0)
        context = settings.pop("context", None)
        if context is not None:
            facade._adapters = AdaptersMap(context.adapters)
        if "autocommit" in settings:
            facade._autocommit = bool(settings.pop("autocommit"))
        for name in [name for name in _SETTINGS if name in settings]:
            setattr(facade, name, settings.pop(name))
        if settings:
            raise DefinitionError(
                f"{', '.join(sorted(settings))} cannot be chosen here: the connection is open already",
                hint="only autocommit, context, " + ", ".join(_SETTINGS),
            )
        return facade

    def keep(self) -> None:
        """Commit everything. Of a transaction that has failed, nothing: committed as it is, it would undo all.

        Raises:
            IsolationError: The server refuses: a deferred constraint does not hold. Nothing is kept.
        """
        failed = self._pgconn.transaction_status == TransactionStatus.INERROR
        first = f"ROLLBACK TO SAVEPOINT {self.ledger.last_savepoint}; " if failed else ""
        refused = self._end(f"{first}COMMIT")
        if refused is not None:
            said = refused.error_message.decode(errors="replace").strip()
            raise IsolationError(f"what the test did cannot be committed, so nothing of it is kept: {said}")

    def end(self) -> None:
        """Roll everything back, whatever state it is in.

        Raises:
            IsolationError: The transaction was ended by the code under test: something may have been kept.
        """
        refused = self._end(END)
        if refused is None:
            return
        state = (refused.error_field(psycopg.pq.DiagnosticField.SQLSTATE) or b"").decode()
        if state in LOST:
            raise ended_by_hand()

    def _end(self, statements: str) -> psycopg.pq.abc.PGresult | None:
        """End it by these statements; return what the server says if it refuses."""
        self.ledger = Ledger()
        for heard, before in zip(self._heard(), self._listeners):  # noqa: B905  not strict: begin() may have failed
            heard.clear()
            heard.extend(before)
        self._connection._prepared.clear()  # they may be about tables that are gone with the rollback
        if self._pgconn.status != psycopg.pq.ConnStatus.OK:
            return None  # with the connection everything is gone
        if self._pgconn.pipeline_status or self._pgconn.transaction_status == TransactionStatus.ACTIVE:
            self._pgconn.finish()  # in the middle of something that only its end can end
            return None
        result = self._pgconn.exec_(statements.encode())
        if result.status != ExecStatus.FATAL_ERROR:
            return None
        if self._pgconn.status == psycopg.pq.ConnStatus.OK:
            self._pgconn.exec_(b"ROLLBACK")
        return result

    def _heard(self) -> list[Any]:
        """Return the handlers of notices and notifications, and what waits for none: facades share them."""
        found = (getattr(self._connection, name, None) for name in _HEARD)
        return [each for each in found if each is not None]


_HEARD = ("_notice_handlers", "_notify_handlers", "_notifies_backlog")  # the last since psycopg 3.2

_SETTINGS = ("row_factory", "cursor_factory", "server_cursor_factory", "prepare_threshold")


def deferred_constraints(pgconn: psycopg.pq.abc.PGconn) -> tuple[str, ...]:
    """Return the constraints of a database that are checked at a transaction's end, as SQL."""
    result = execute(pgconn, DEFERRED)
    return tuple((result.get_value(row, 0) or b"").decode() for row in range(result.ntuples))


def execute(pgconn: psycopg.pq.abc.PGconn, statements: str) -> psycopg.pq.abc.PGresult:
    """Send statements in one round trip and return the last one's result.

    Raises:
        IsolationError: One failed.
    """
    result = pgconn.exec_(statements.encode())
    if result.status not in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
        raise IsolationError(f"PostgreSQL refused {statements!r}: {result.error_message.decode(errors='replace')}")
    return result
