"""What a template's comment says: which migration made it, and what that made on the whole server.

Roles that a migration makes are there for all who use the template. Tests of other processes may run meanwhile, and
must not take them for something that they themselves left behind: see ``roles.py``.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.names import PREFIX
from podjig.isolation.postgres.server_state import QUERY, Change, State, changes
from podjig.services.postgres_state import MADE

if TYPE_CHECKING:
    from psycopg import Connection

Mark = tuple[str, str, str]
"""A thing's kind, its name, and a hash of what it was made."""


def read_state(connection: Connection[Any]) -> State:
    """Return what belongs to the whole server; nothing, to a user who may not see it."""
    result = connection.pgconn.exec_(QUERY.encode())
    if result.status != psycopg().pq.ExecStatus.TUPLES_OK:
        return State([])
    rows = [tuple(result.get_value(row, column) for column in range(4)) for row in range(result.ntuples)]
    return State(rows)


def write_record(connection: Connection[Any], database: str, description: str, before: State) -> None:
    """Write a template's comment, once its migration is done.

    Args:
        connection: A superuser's.
        database: The template.
        description: The migration's.
        before: The server's state before it.
    """
    from psycopg import sql

    made = sorted(mark_of(change) for change in changes(before, read_state(connection)))
    text = json.dumps({"podjig template": description, MADE: made}, ensure_ascii=False)
    comment = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(database), sql.Literal(text))
    connection.execute(comment, prepare=False)


def made_by_migrations(connection: Connection[Any]) -> set[Mark]:
    """Return what the migrations of all of a server's templates made on it."""
    rows = connection.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE starts_with(datname, %s)",
        (f"{PREFIX}template_",),
    ).fetchall()
    return {(kind, name, digest) for (text,) in rows if text for kind, name, digest in _made(text)}


def mark_of(change: Change) -> Mark:
    """Return by what a change is known again: a later one of the same thing is another."""
    return change.kind, change.name, hashlib.sha256(repr(change.after).encode()).hexdigest()[:16]


def _made(text: str) -> list[Mark]:
    try:
        found: list[Mark] = json.loads(text)[MADE]
    except (ValueError, KeyError, TypeError):  # somebody else's comment
        return []
    return found
