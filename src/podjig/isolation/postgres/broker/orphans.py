"""Whose a database is that nobody speaks for any more.

Whoever makes databases puts a token of its own into their names (those with an ``x`` before the number), and holds a
shared advisory lock on that token; so do all that get databases from it. The server drops a lock with its holder's
connection. So databases whose token nobody holds are nobody's, and may be dropped, however their makers ended.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.names import PREFIX, process_token

if TYPE_CHECKING:
    from psycopg import Connection

_CLASS = int.from_bytes(b"pjig", "big")
"""The first of the two numbers of our advisory locks; the token is the second."""

_NAME = re.compile(rf"{PREFIX}(?:\w+_)?([0-9a-f]{{8}})x\d+")
_counter = itertools.count(1)


def pool_name() -> str:
    """Return a name that no database has had yet, with this process's token in it."""
    return f"{PREFIX}pool_{process_token()}x{next(_counter)}"


def hold(connection: Connection[Any], token: str) -> None:
    """Speak for the databases with a token, for as long as this connection lasts."""
    connection.execute("SELECT pg_advisory_lock_shared(%s, %s)", (_CLASS, _number(token)))


def mark_kept(connection: Connection[Any], name: str, requester: str) -> None:
    """Say of a database that it stays though nobody will speak for it."""
    from psycopg import sql

    comment = sql.Literal(f"kept by podjig: {requester}")
    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), comment), prepare=False)


def drop_orphans(connection: Connection[Any]) -> None:
    """Drop databases that are nobody's. Those that somebody is connected to stay, and those that are kept.

    Raises:
        IsolationError: One cannot be dropped.
    """
    rows = connection.execute(
        "SELECT datname FROM pg_database d WHERE starts_with(datname, %s) AND shobj_description(oid, 'pg_database')"
        " IS NULL AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datid = d.oid) ORDER BY 1",
        (PREFIX,),
    ).fetchall()
    # A lock counts for one database, the view shows those of all.
    locks = connection.execute(
        "SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2", (_CLASS,)
    ).fetchall()
    spoken_for = {int(process_token(), 16), *(number for (number,) in locks)}
    for (name,) in rows:
        match = _NAME.fullmatch(name)
        if match and int(match[1], 16) not in spoken_for:
            drop(connection, name)


def _number(token: str) -> int:
    return int.from_bytes(bytes.fromhex(token), "big", signed=True)
