"""Undo at the end whatever is done to a database, though the code under test commits.

One real transaction stays open around a test; what the test's code takes for transactions are savepoints in it. So it
may commit, roll back and fail as it likes, and all is gone at the end, in one round trip.

What a rollback does not give back: values taken from sequences. What it cannot do: more than one connection at work
at once (see :class:`~podjig.isolation.postgres.rollback.ledger.Ledger` for what holds when one connection plays
several), NOTIFY (sent at a real commit only), two-phase commit, isolation levels, ``CREATE DATABASE``, ``VACUUM``,
``CREATE INDEX CONCURRENTLY``; ``now()`` stands still. Settings (``SET``), temporary tables, ``LISTEN``, roles and all
DDL are rolled back like rows; session-level advisory locks are released; statements prepared by SQL stay.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from podjig.errors import DefinitionError

Target = TypeVar("Target")


@contextmanager
def rollback(target: Target) -> Iterator[Target]:
    """Give something to work on a database with, of whose work nothing is kept.

        with rollback(engine):
            application.add_user("ada")  # which commits

    Args:
        target: A psycopg 3 ``Connection``: you get another, to be used instead. Or SQLAlchemy's ``Engine``,
            ``Connection``, ``sessionmaker``, ``scoped_session`` or ``Session`` with any driver: you get the same, and
            meanwhile whatever else uses the same engine takes part. Without a transaction open in either case.

    Raises:
        DefinitionError: The target is none of these, or has a transaction open.
        IsolationError: At the end: the code under test ended the transaction itself, by a COMMIT sent as SQL, and may
            have left something in the database.
    """
    if _is_a(target, "psycopg", "Connection"):
        from podjig.isolation.postgres.rollback.psycopg_connection import PsycopgRollback

        outer = PsycopgRollback(target)  # type: ignore[arg-type]
        outer.begin()
        try:
            yield outer.connection()
        finally:
            outer.end()
        return
    session, bind = _bind_of(target, asynchronous=False)
    from podjig.isolation.postgres.rollback.sqlalchemy_engine import SqlalchemyRollback

    transaction = SqlalchemyRollback(bind)
    transaction.begin()
    try:
        yield target
    finally:
        try:
            _end_session(session)
        finally:
            transaction.end()


@asynccontextmanager
async def arollback(target: Target) -> AsyncIterator[Target]:
    """Give something to work on a database with asynchronously, of whose work nothing is kept.

        async with arollback(engine):
            await application.add_user("ada")  # which commits

    Args:
        target: A psycopg 3 ``AsyncConnection``: you get another, to be used instead. An asyncpg ``Connection`` (one of
            a pool as well), or SQLAlchemy's ``AsyncEngine``, ``AsyncConnection``, ``async_sessionmaker`` or
            ``AsyncSession``: you get the same. Without a transaction open in any case.

    Raises:
        DefinitionError: The target is none of these, or has a transaction open.
        IsolationError: As for :func:`rollback`.
    """
    if _is_a(target, "psycopg", "AsyncConnection"):
        from podjig.isolation.postgres.rollback.psycopg_connection import PsycopgRollback

        outer = PsycopgRollback(target)  # type: ignore[arg-type]
        outer.begin()
        try:
            yield outer.connection()
        finally:
            outer.end()
        return
    if _is_a(target, "asyncpg", "Connection") or _is_a(target, "asyncpg.pool", "PoolConnectionProxy"):
        from podjig.isolation.postgres.rollback.asyncpg_connection import AsyncpgRollback

        block = AsyncpgRollback(target)
        await block.begin()
        try:
            yield target
        finally:
            await block.end()
        return
    session, bind = _bind_of(target, asynchronous=True)
    from sqlalchemy.util import greenlet_spawn

    from podjig.isolation.postgres.rollback.sqlalchemy_engine import SqlalchemyRollback

    transaction = SqlalchemyRollback(bind)
    await greenlet_spawn(transaction.begin)
    try:
        yield target
    finally:
        try:
            await greenlet_spawn(_end_session, session)
        finally:
            await greenlet_spawn(transaction.end)


def _is_a(target: object, module: str, name: str) -> bool:
    """Whether it is an instance of a class whose module is imported: else it cannot be."""
    found = sys.modules.get(module)
    return found is not None and isinstance(target, getattr(found, name, ()))


def _bind_of(target: object, *, asynchronous: bool) -> tuple[Any, Any]:
    """Return the session that is to be closed at the end, if any, and the engine or connection behind a target."""
    session: Any = None
    bind: Any = target
    if _is_a(target, "sqlalchemy.orm", "sessionmaker") or _is_a(target, "sqlalchemy.ext.asyncio", "async_sessionmaker"):
        bind = target.kw.get("bind")  # type: ignore[attr-defined]
        if bind is None:
            raise DefinitionError(f"{target!r} has no engine", hint="give the engine itself")
    elif _is_a(target, "sqlalchemy.orm", "Session"):
        session = target
    elif _is_a(target, "sqlalchemy.orm", "scoped_session"):
        session = target()  # type: ignore[operator]
    elif _is_a(target, "sqlalchemy.ext.asyncio", "AsyncSession"):
        session = target.sync_session  # type: ignore[attr-defined]
    if session is not None:
        if session.in_transaction():
            raise DefinitionError(
                "the session cannot be rolled back for a test: it has a transaction open",
                hint="give it before its first statement, or after commit() or rollback()",
            )
        bind = session.get_bind()
    for kind, attribute in (("AsyncEngine", "sync_engine"), ("AsyncConnection", "sync_connection")):
        if _is_a(bind, "sqlalchemy.ext.asyncio", kind):
            bind = getattr(bind, attribute)
            if bind is None:
                raise DefinitionError(f"{target!r} is not started", hint="await its start(), or use 'async with'")
    if not _is_a(bind, "sqlalchemy.engine", "Engine") and not _is_a(bind, "sqlalchemy.engine", "Connection"):
        raise DefinitionError(*_refusal(target, asynchronous=asynchronous))
    if bind.dialect.is_async != asynchronous:
        raise DefinitionError(
            f"{target!r} is {'synchronous' if asynchronous else 'asynchronous'}",
            hint="use rollback()" if asynchronous else "use 'async with arollback(...)'",
        )
    return session, bind


def _refusal(target: object, *, asynchronous: bool) -> tuple[str]:
    kind = f"{type(target).__module__}.{type(target).__qualname__}"
    if asynchronous:
        known = "psycopg.AsyncConnection, asyncpg.Connection, SQLAlchemy's AsyncEngine, AsyncConnection, AsyncSession"
    else:
        known = "psycopg.Connection, SQLAlchemy's Engine, Connection, Session, sessionmaker"
    return (f"rollback is impossible for {kind}: use {known} (SQLAlchemy with any driver), or mode='pool'",)


def _end_session(session: Any) -> None:
    """Let a session forget what will be gone."""
    if session is not None:
        session.close()
