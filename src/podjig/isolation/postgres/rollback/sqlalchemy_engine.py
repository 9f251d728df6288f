"""SQLAlchemy engines all of whose connections are part of one transaction that is rolled back.

An engine reaches its driver through its dialect and its pool. For the time of a test both are changed in place: the
pool gives out one real connection, however often it is asked, and the dialect makes savepoints where it would begin,
commit or roll back. So whatever uses the engine takes part: sessions, ``engine.begin()``, libraries that imported the
engine long ago; with any driver, synchronous or not.
"""

# ruff: noqa: SLF001  a transaction can be replaced only from inside the driver

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy.engine import Connection, Engine

from podjig.errors import DefinitionError, IsolationError
from podjig.isolation.postgres.rollback.ledger import DEFERRED, LOST, OUTER, Ledger, ended_by_hand, sqlstate_of
from podjig.isolation.postgres.rollback.one_connection import OneConnection

_WRITES = ("insert", "update", "delete", "merge", "truncate", "into")


class SqlalchemyRollback:
    """One transaction of an engine, or of one connection, that is rolled back at its end.

    With an asynchronous engine's synchronous side (``engine.sync_engine``), calls must run inside SQLAlchemy's
    greenlet.

    Args:
        target: An engine (one made by ``execution_options()`` as well), or a connection without a transaction.
    """

    def __init__(self, target: Engine | Connection) -> None:
        if target.dialect.name != "postgresql":
            raise DefinitionError(
                f"{target!r} is no PostgreSQL engine but one for {target.dialect.name}",
                hint="rollback() knows PostgreSQL only",
            )
        self._target = target
        self._dialect = target.dialect
        self._ledger = Ledger()
        self._lock = threading.RLock()  # an application may use its engine in several threads
        self._autocommit: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()
        self._by_default = False
        self._dbapi: Any = None
        self._undo: list[Callable[[], object]] = []

    def begin(self) -> None:
        """Begin.

        Raises:
            DefinitionError: The connection has a transaction open.
            sqlalchemy.exc.SQLAlchemyError: No connection is to be had.
        """
        if isinstance(self._target, Connection):
            self._take_connection(self._target)
        else:
            engine: Any = self._target
            while hasattr(engine, "_proxied"):
                engine = engine._proxied
            self._take_engine(engine)
        self._by_default = bool(getattr(self._dbapi, "autocommit", False))
        if self._by_default:
            self._dbapi.autocommit = False
            self._undo.insert(0, self._restore_autocommit)
        self._ledger = Ledger(tuple(row[0] for row in self._fetch(DEFERRED)))
        self._send([f"SAVEPOINT {OUTER}"])  # before which every driver sends its own BEGIN

    def end(self) -> None:
        """Roll everything back.

        Raises:
            IsolationError: The transaction was ended by the code under test: something may have been kept.
        """
        broken = self._dialect.loaded_dbapi.Error  # of a broken connection the server keeps nothing
        try:
            with suppress(broken):
                self._send([f"ROLLBACK TO SAVEPOINT {OUTER}", "SELECT pg_advisory_unlock_all()"])
        finally:
            with suppress(broken):
                self._dbapi.rollback()
            self.leave()

    def join(self, dbapi_connection: Any, ledger: Ledger) -> None:
        """Become part of a transaction that somebody else begins and ends, with an engine of nobody else's."""
        assert isinstance(self._target, Engine)
        self._dbapi, self._ledger = dbapi_connection, ledger
        self._replace(self._target)

    def leave(self) -> None:
        """Undo what :meth:`join` did."""
        for undo in self._undo:
            undo()

    def commit(self, user: object) -> None:
        """Do what a commit of one connection does."""
        with self._lock:
            try:
                self._send(self._ledger.check(user))
            except Exception:
                self._ledger.aborted(True)
                self._send(self._ledger.rollback(user))
                raise
            self._send(self._ledger.commit(user))

    def rollback(self, user: object) -> None:
        """Do what a rollback of one connection does."""
        with self._lock:
            self._send(self._ledger.rollback(user))

    def execute(self, statement: str, user: Any, call: Callable[[], Any]) -> Any:
        """Make a call that executes a statement of one connection."""
        with self._lock:
            autocommit = self._autocommit.get(user, self._by_default)
            self._send(self._ledger.before(user, writes=not _only_reads(statement), autocommit=autocommit))
            try:
                result = call()
            except BaseException:
                self._ledger.aborted(True)
                raise
            self._ledger.aborted(False)
            return result

    def cursor(self, user: Any, *args: Any, **kwargs: Any) -> Any:
        """Return a cursor of one connection: statements are to follow."""
        with self._lock:
            if self._ledger.idle(user) and not self._autocommit.get(user, self._by_default):
                self._send(self._ledger.before(user, writes=False))
        return user.dbapi_connection.cursor(*args, **kwargs)

    def choose_autocommit(self, user: object, level: str) -> None:
        """Take note that one connection has chosen its isolation level; only ``AUTOCOMMIT`` has an effect."""
        self._autocommit[user] = level.replace("_", " ").upper() == "AUTOCOMMIT"

    def _take_engine(self, engine: Engine) -> None:
        fairy = engine.raw_connection()
        self._dbapi = fairy.dbapi_connection
        self._replace(engine)
        self._undo.append(fairy.close)

    def _replace(self, engine: Engine) -> None:
        """Have an engine work on the one connection."""
        pool, dialect = engine.pool, engine.dialect
        shared = OneConnection(pool, self._dbapi, self)
        _RollingBack(self, dialect).install(dialect)
        engine.pool = shared

        def undo() -> None:
            shared.cut_off()
            _RollingBack.uninstall(dialect)
            engine.pool = pool

        self._undo.append(undo)

    def _take_connection(self, connection: Connection) -> None:
        if connection.closed or connection.in_transaction():
            state = "is closed" if connection.closed else "has a transaction open"
            raise DefinitionError(
                f"the connection cannot be rolled back for a test: it {state}",
                hint="give an open connection before its first statement, or after commit() or rollback()",
            )
        engine, dialect = connection.engine, connection.dialect
        self._dbapi = connection.connection.dbapi_connection
        mine = copy.copy(engine)
        mine.dialect = copy.copy(dialect)
        _RollingBack(self, dialect).install(mine.dialect)
        connection.engine, connection.dialect = mine, mine.dialect

        def undo() -> None:
            connection.engine, connection.dialect = engine, dialect
            transaction = None if connection.closed else connection.get_transaction()
            if transaction is not None:
                transaction.close()

        self._undo.append(undo)

    def _restore_autocommit(self) -> None:
        self._dbapi.autocommit = True

    def _fetch(self, statement: str) -> Any:
        cursor = self._dbapi.cursor()
        try:
            cursor.execute(statement)
            return cursor.fetchall()
        finally:
            cursor.close()

    def _send(self, statements: list[str]) -> None:
        if not statements:
            return
        cursor = self._dbapi.cursor()
        try:
            for statement in statements:  # asyncpg takes one at a time
                cursor.execute(statement)
        except Exception as error:
            if sqlstate_of(error) in LOST:
                raise ended_by_hand() from None
            raise
        finally:
            cursor.close()


class _RollingBack:
    """What a dialect does while the connections it speaks for make savepoints of their transactions."""

    def __init__(self, rollback: SqlalchemyRollback, dialect: Any) -> None:
        self._rollback = rollback
        self._characteristics = dialect.connection_characteristics
        self._usual = {name: getattr(dialect, name) for name in _REPLACED}

    def install(self, dialect: Any) -> None:
        """Replace a dialect's methods. Its class may not be changed in place: its layout differs from its bases'."""
        for name in _REPLACED:
            setattr(dialect, name, getattr(self, name))

    @staticmethod
    def uninstall(dialect: Any) -> None:
        """Let it have its own again."""
        for name in _REPLACED:
            delattr(dialect, name)

    def do_commit(self, dbapi_connection: Any) -> None:
        self._rollback.commit(dbapi_connection)

    def do_rollback(self, dbapi_connection: Any) -> None:
        self._rollback.rollback(dbapi_connection)

    def do_close(self, dbapi_connection: Any) -> None:
        pass  # the connection belongs to the engine's own pool

    def do_terminate(self, dbapi_connection: Any) -> None:
        pass

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> Any:
        return self._execute("do_execute", context, cursor, statement, parameters)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> Any:
        return self._execute("do_executemany", context, cursor, statement, parameters)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> Any:
        return self._execute("do_execute_no_params", context, cursor, statement)

    def do_begin_twophase(self, connection: Any, xid: Any) -> None:  # noqa: ARG002  SQLAlchemy's signature
        raise IsolationError(
            "two-phase commit cannot be rolled back: no test in the mode 'rollback' can use it",
            hint="use mode='pool' or 'template' for this test",
        )

    def _set_connection_characteristics(self, connection: Any, characteristics: Any) -> None:
        """Remember AUTOCOMMIT. Levels and read-only transactions have no effect: they cannot change within one."""
        outer = {name: value for name, value in characteristics.items() if self._characteristics[name].transactional}
        if outer and not connection.in_transaction():
            if "isolation_level" in outer:
                self._rollback.choose_autocommit(connection.connection, outer["isolation_level"])
            characteristics = {name: value for name, value in characteristics.items() if name not in outer}
        if characteristics:
            self._usual["_set_connection_characteristics"](connection, characteristics)

    def _execute(self, name: str, context: Any, cursor: Any, statement: str, *rest: Any) -> Any:
        call = self._usual[name]
        if context is None:  # the dialect's own
            return call(cursor, statement, *rest)
        user = context._dbapi_connection
        return self._rollback.execute(statement, user, lambda: call(cursor, statement, *rest, context))


_REPLACED = (
    "do_commit",
    "do_rollback",
    "do_close",
    "do_terminate",
    "do_execute",
    "do_executemany",
    "do_execute_no_params",
    "do_begin_twophase",
    "_set_connection_characteristics",
)


def _only_reads(statement: str) -> bool:
    """Whether a statement certainly writes nothing, but by a function that it calls."""
    text = statement.lstrip(" \t\r\n(").lower()
    return text.startswith(("select", "with", "show", "values", "table", "explain")) and not any(
        word in text for word in _WRITES
    )
