"""The end of a database, whatever holds on to it.

``DROP DATABASE ... WITH (FORCE)`` would wait 100 ms for a connection that it ends: the server looks again in steps of
that length (CountOtherDBBackends in its sources). Ending it first and looking each millisecond takes some ms.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.leftovers import InUse, look

if TYPE_CHECKING:
    from psycopg import Connection

GRACE = 0.25
"""Seconds in which a connection that was closed may take to reach its end on the server: on a busy machine it may be
hundreds of milliseconds, and a warning for nothing is worse than a database that stays a little longer."""

_POLL = 0.001
_TIMEOUT = 10.0

_ABSENT = "3D000"
_IN_USE = "55006"
_IS_TEMPLATE = "42809"


def drop(connection: Connection[Any], name: str, *, grace: float = GRACE) -> list[str]:
    """Drop a database, and end all that uses it. None of that name is fine.

    Args:
        connection: An autocommit connection of a superuser to another database.
        name: The database.
        grace: Seconds for connections to go by themselves, before they count as left open.

    Returns:
        What was left behind, in words: ``an idle transaction (pid 71, 'INSERT INTO ...')``.

    Raises:
        IsolationError: It cannot be dropped; the message says what holds on to it.
    """
    found = look(connection, name)
    until = time.monotonic() + grace
    while any(session.is_a_clients for session in found.sessions) and time.monotonic() < until:
        time.sleep(_POLL)
        found = look(connection, name)
    left = found.described()
    deadline = time.monotonic() + _TIMEOUT
    try:
        while not _dropped(connection, name, found):
            if time.monotonic() > deadline:
                holders = "; ".join(found.described()) or "the server's own workers"
                raise IsolationError(
                    f"cannot drop database {name!r}: still used after {_TIMEOUT:g} s by {holders}",
                    hint="see pg_stat_activity and pg_locks",
                )
            found = look(connection, name)
    except psycopg().Error as error:
        raise IsolationError(f"cannot drop database {name!r}: {str(error).strip()}") from error
    return left


def _dropped(connection: Connection[Any], name: str, found: InUse) -> bool:
    """Free the database of what was found, then drop it; return whether it is gone."""
    from psycopg import sql

    database = sql.Identifier(name)
    try:
        if found:
            _free(connection, name, found)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(database), prepare=False)
    except psycopg().Error as error:
        if error.sqlstate == _ABSENT:
            return True
        if error.sqlstate == _IS_TEMPLATE:
            connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(database), prepare=False)
            return False
        if error.sqlstate == _IN_USE:
            return False
        raise
    return True


def _free(connection: Connection[Any], name: str, found: InUse) -> None:
    """End what uses a database, and let nothing begin."""
    from psycopg import sql

    database = sql.Identifier(name)
    if found.prepared or found.subscriptions:
        # They can be ended only from inside, so before the door is shut.
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(database), prepare=False)
        _clear_inside(connection, name, found)
    connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(database), prepare=False)
    connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        " UNION ALL SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
        " WHERE database = %s AND active_pid IS NOT NULL",
        (name, name),
    )
    until = time.monotonic() + _TIMEOUT
    while time.monotonic() < until:
        now = look(connection, name)
        if not now.sessions and not now.active:
            return
        time.sleep(_POLL)


def _clear_inside(connection: Connection[Any], name: str, found: InUse) -> None:
    """Roll back prepared transactions and drop subscriptions."""
    from psycopg import sql

    ours = {**connection.info.get_parameters(), "password": connection.info.password, "dbname": name}
    with closing(psycopg().connect(**ours, autocommit=True)) as inside:
        for gid in found.prepared:
            inside.execute(sql.SQL("ROLLBACK PREPARED {}").format(sql.Literal(gid)), prepare=False)
        for subscription in map(sql.Identifier, found.subscriptions):
            # Without its slot, which is the publisher's: that may be gone.
            for statement in ("ALTER SUBSCRIPTION {} DISABLE", "ALTER SUBSCRIPTION {} SET (slot_name = NONE)"):
                inside.execute(sql.SQL(statement).format(subscription), prepare=False)
            inside.execute(sql.SQL("DROP SUBSCRIPTION {}").format(subscription), prepare=False)
