"""The database that clones are made from: migrated once for each server, whichever process asks first.

It is made under another name and gets its own as the last step, so one of that name is complete. An advisory lock of
the server's keeps others waiting meanwhile; the server drops it with its holder's connection, so a maker that was
killed blocks nobody, and what it left half-made is made again.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError, MigrationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.leftovers import look
from podjig.isolation.postgres.migration.protocol import Migration
from podjig.isolation.postgres.names import PREFIX, making_name, template_name
from podjig.isolation.postgres.roles import LOCK
from podjig.isolation.postgres.server import APPLICATION, PostgresServer
from podjig.isolation.postgres.template_record import read_state, write_record

if TYPE_CHECKING:
    from psycopg import Connection

WAIT = 600.0
"""Seconds to wait for another process that makes the same template."""

KEPT = 8
"""Templates that a server keeps for another time."""

_LOG_LINES = 40
_NO_PRIVILEGE = "42501"
_POLL = 0.001
_TIMEOUT = 10.0


def ensure_template(server: PostgresServer, migration: Migration, *, wait: float = WAIT) -> str:
    """Return the name of a database to clone, migrated; make it if the server has none of that content.

    Args:
        server: The server. All who are to share a template name the same ``dbname`` of it: the lock is there.
        migration: What makes the schema.
        wait: Seconds to wait for another process that is making it.

    Raises:
        MigrationError: The migration failed. Nothing is left of it.
        IsolationError: The server refuses, or another process has been making it for too long.
    """
    name = template_name(migration.key)
    with closing(server.connect()) as connection:
        if not _exists(connection, name):
            _lock(connection, name, migration, wait)  # until the connection is closed
            if not _exists(connection, name):
                _make(server, connection, migration, name)
    return name


def _exists(connection: Connection[Any], name: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def _lock(connection: Connection[Any], name: str, migration: Migration, wait: float) -> None:
    """Wait until no other process makes this template."""
    number = int.from_bytes(bytes.fromhex(migration.key), "big", signed=True)
    connection.execute(b"SET lock_timeout = %d" % max(1, round(wait * 1000)))
    try:
        connection.execute("SELECT pg_advisory_lock(%s)", (number,))
    except psycopg().errors.LockNotAvailable:
        holders = connection.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND (classid::bigint << 32 | objid::bigint) = %s",
            (number,),
        ).fetchall()
        pids = ", ".join(str(pid) for (pid,) in holders)
        raise IsolationError(
            f"another process has been making template {name!r} ({migration.description}) for {wait:g} s",
            hint=f"end it if it hangs: its connection to the server has pid {pids}" if pids else "",
        ) from None


def _make(server: PostgresServer, connection: Connection[Any], migration: Migration, name: str) -> None:
    from psycopg import sql

    making = making_name(migration.key)
    drop(connection, making, grace=0)  # of one who was killed
    _prune(connection)
    began = time.time()
    database = sql.Identifier(making)
    connection.execute(f"SELECT pg_advisory_lock_shared{LOCK}".encode())  # until the connection is closed
    before = read_state(connection)
    try:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database), prepare=False)
        migration.run(PostgresDatabase(server, making))
        write_record(connection, making, migration.description, before)
        shut = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false IS_TEMPLATE true").format(database)
        connection.execute(shut, prepare=False)
        _empty(connection, making, migration)
        connection.execute(
            sql.SQL("ALTER DATABASE {} RENAME TO {}").format(database, sql.Identifier(name)), prepare=False
        )
    except BaseException as error:
        with suppress(IsolationError, psycopg().Error):  # the server is gone: whoever makes the template next drops it
            drop(connection, making, grace=0)
        if isinstance(error, MigrationError):
            error.logs = error.logs or server.log_since(began, lines=_LOG_LINES)
        elif isinstance(error, psycopg().Error):
            raise IsolationError(
                f"cannot make template {name!r}: {str(error).strip()}",
                hint="connect as a superuser" if getattr(error, "sqlstate", None) == _NO_PRIVILEGE else "",
                logs=server.log_since(began, lines=_LOG_LINES),
            ) from error
        raise


def _prune(connection: Connection[Any]) -> None:
    """Drop the oldest templates, where they are many and nobody is there who could be using one.

    On a server that lives long, each change of a schema leaves one behind. Who waits for a lock wants a new one.
    """
    rows = connection.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %(ours)s || 'template_') AND NOT EXISTS (SELECT 1"
        " FROM pg_stat_activity WHERE (application_name = %(name)s OR starts_with(datname, %(ours)s))"
        " AND pid <> pg_backend_pid() AND wait_event_type IS DISTINCT FROM 'Lock') ORDER BY oid DESC OFFSET %(kept)s",
        {"ours": PREFIX, "name": APPLICATION, "kept": KEPT - 1},
    ).fetchall()
    for (name,) in rows:
        drop(connection, name, grace=0)


def _empty(connection: Connection[Any], name: str, migration: Migration) -> None:
    """End the connections that a migration left open, like those of an engine's pool: nobody may be in a template."""
    deadline = time.monotonic() + _TIMEOUT
    while (found := look(connection, name)).sessions:
        if time.monotonic() > deadline:
            raise IsolationError(
                f"{migration.description} still uses the database it made: {'; '.join(found.described())}",
                hint="let it end what it started",
            )
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            (name,),
        )
        time.sleep(_POLL)
    if found.prepared or found.slots:
        raise MigrationError(
            f"{migration.description} leaves behind {'; '.join(found.described())}",
            hint="let the migration finish what it begins: no clone could be made",
        )
