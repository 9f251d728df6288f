"""A database made from a template, file by file where the server can do that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.leftovers import look

if TYPE_CHECKING:
    from psycopg import Connection, Error

_STRATEGIES_FROM = 150000
"""The version from which CREATE DATABASE has strategies. Older servers copy files; newer ones write all to the WAL
unless told, which takes half as long again."""

_SETTINGS = """
INSERT INTO pg_db_role_setting SELECT made.oid, setrole, setconfig
FROM pg_db_role_setting JOIN pg_database AS template ON template.oid = setdatabase AND template.datname = %s
JOIN pg_database AS made ON made.datname = %s
"""
"""CREATE DATABASE does not copy what ALTER DATABASE ... SET has set. It is kept as text, quoted differently for each
setting, so it is copied as it is."""

_HINTS = {
    "53100": "give the server more room: with_tmpfs_mount(path, size=...), or fewer databases at once",
    "53200": "give the server more memory: with_memory_limit(...)",
    "3D000": "something dropped the template: do not touch databases whose names start with 'podjig_'",
}


def clone(connection: Connection[Any], template: str, name: str, *, again: bool = False) -> None:
    """Make a database that equals a template.

    Args:
        connection: An autocommit connection of a superuser to any database but these two.
        template: The database to copy. Nobody may be connected to it.
        name: The new one's name, at most 63 bytes.
        again: An earlier connection was lost meanwhile, and may have left it behind, half made: it is made anew.

    Raises:
        IsolationError: The server refuses: it says why. Nothing is left, unless the connection is lost.
    """
    from psycopg import sql

    if again:
        drop(connection, name, grace=0)

    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
    if connection.info.server_version >= _STRATEGIES_FROM:
        statement += sql.SQL(" STRATEGY FILE_COPY")
    try:
        connection.execute(statement, prepare=False)
        connection.execute(_SETTINGS, (template, name))
    except psycopg().Error as error:
        raise _refused(connection, template, name, error) from error


def _refused(connection: Connection[Any], template: str, name: str, error: Error) -> IsolationError:
    """Say why a database could not be made, naming who uses the template."""
    hint = _HINTS.get(error.sqlstate or "", "")
    said = str(error).strip()
    if error.sqlstate == "55006":  # object in use
        users = "; ".join(str(session) for session in look(connection, template).sessions)
        said = f"the template is in use{f': {users}' if users else ''}"
        hint = f"let nothing connect to {template!r}: tests have databases of their own"
    return IsolationError(f"cannot make database {name!r} from template {template!r}: {said}", hint=hint)
