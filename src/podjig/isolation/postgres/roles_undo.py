"""Undoing what a test changed on the whole server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.drop import drop

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.sql import SQL, Composed

    from podjig.isolation.postgres.server_state import Change

_LISTS = {
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
}
"""Settings whose value is a list of quoted names, as pg_dump knows them too (variable_is_guc_list_quote)."""

_AUTO_LINE = re.compile(r"^([\w.]+) = '((?:[^']|'')*)'$", re.MULTILINE)

_ORDER = ("slot", "setting", "membership", "database", "role", "system")
"""Things go before what they hold on to; they come back in the reverse order."""

_DEPENDENT = "2BP01"


def undo(connection: Connection[Any], found: list[Change]) -> dict[tuple[str, str], str]:
    """Put everything back; return why that was not possible, for each that stays as it is.

    Args:
        connection: An autocommit connection of a superuser.
        found: What was changed.
    """
    going = sorted((change for change in found if change.before is None), key=lambda each: _ORDER.index(each.kind))
    coming = sorted(
        (change for change in found if change.before is not None), key=lambda each: -_ORDER.index(each.kind)
    )
    others = [change for change in going if change.kind != "role"]
    new_roles = [change for change in going if change.kind == "role"]  # last: the rights of others may name them
    failures = {}
    for change in [*others, *coming, *new_roles]:
        try:
            for statement in _UNDO[change.kind](connection, change):
                connection.execute(statement, prepare=False)
        except (psycopg().Error, IsolationError) as error:
            failures[change.kind, change.name] = str(error).strip()
    return failures


def _role(connection: Connection[Any], change: Change) -> Iterator[Composed]:
    from psycopg import sql

    name = sql.Identifier(change.name)
    if change.before is None:
        _drop_role(connection, change.name)
        return
    if change.was:
        yield sql.SQL("ALTER ROLE {} RENAME TO {}").format(name, sql.Identifier(change.was))
        name = sql.Identifier(change.was)
    flags = ("SUPERUSER", "INHERIT", "CREATEROLE", "CREATEDB", "LOGIN", "REPLICATION", "BYPASSRLS")
    words = [word if value == "true" else f"NO{word}" for word, value in zip(flags, change.before, strict=False)]
    limit, password, until = change.before[len(flags) :]
    verb = sql.SQL("CREATE ROLE" if change.after is None else "ALTER ROLE")
    yield sql.SQL("{} {} WITH {} CONNECTION LIMIT {} PASSWORD {} VALID UNTIL {}").format(
        verb,
        name,
        _plain(" ".join(words)),
        _plain(limit),
        sql.Literal(password),  # what the catalog has is a hash, which is taken over as it is
        sql.Literal(until or "infinity"),
    )


def _drop_role(connection: Connection[Any], name: str) -> None:
    """Drop a role, and what it has wherever it has something."""
    from psycopg import sql

    statement = sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name))
    try:
        connection.execute(statement, prepare=False)
        return
    except psycopg().Error as error:
        if error.sqlstate != _DEPENDENT:
            raise
    databases = connection.execute(
        "SELECT DISTINCT datname FROM pg_shdepend JOIN pg_database d ON d.oid = dbid OR (dbid = 0 AND d.datname ="
        " current_database()) WHERE refclassid = 'pg_authid'::regclass AND refobjid = (SELECT oid FROM pg_authid"
        " WHERE rolname = %s) AND datallowconn",
        (name,),
    ).fetchall()
    parameters = {**connection.info.get_parameters(), "password": connection.info.password}
    for (database,) in databases:
        with closing(psycopg().connect(**{**parameters, "dbname": database}, autocommit=True)) as inside:
            for words in ("REASSIGN OWNED BY {} TO CURRENT_USER", "DROP OWNED BY {}"):
                inside.execute(sql.SQL(words).format(sql.Identifier(name)), prepare=False)
    connection.execute(statement, prepare=False)


def _membership(connection: Connection[Any], change: Change) -> Iterator[Composed]:
    from psycopg import sql

    if change.after is not None and _is_there(connection, change.after[0]) and _is_there(connection, change.after[1]):
        member, group, grantor = (sql.Identifier(each) for each in change.after[:3])
        by = sql.SQL(" GRANTED BY {}").format(grantor) if change.after[2] else sql.SQL("")
        yield sql.SQL("REVOKE {} FROM {}{}").format(group, member, by)
    if change.before is not None:
        member, group, grantor = (sql.Identifier(each) for each in change.before[:3])
        admin, inherit, may_set = change.before[3:]
        options = [f"ADMIN {admin.upper()}"] if inherit is not None else []
        options += [f"INHERIT {inherit.upper()}", f"SET {may_set.upper()}"] if inherit is not None else []
        words = f" WITH {', '.join(options)}" if options else " WITH ADMIN OPTION" if admin == "true" else ""
        by = sql.SQL(" GRANTED BY {}").format(grantor) if change.before[2] else sql.SQL("")
        yield sql.SQL("GRANT {} TO {}{}{}").format(group, member, _plain(words), by)


def _setting(connection: Connection[Any], change: Change) -> Iterator[Composed]:
    from psycopg import sql

    role, database = (change.before or change.after or (None, None))[:2]
    if (role and not _is_there(connection, role)) or (database and not _is_there(connection, database)):
        return  # gone, and its settings with it
    if role:
        whose = sql.SQL("ALTER ROLE {}").format(sql.Identifier(role))
        whose += sql.SQL(" IN DATABASE {}").format(sql.Identifier(database)) if database else sql.SQL("")
    elif database:
        whose = sql.SQL("ALTER DATABASE {}").format(sql.Identifier(database))
    else:
        whose = sql.SQL("ALTER ROLE ALL").format()
    yield sql.SQL("{} RESET ALL").format(whose)
    for setting in (change.before or ())[2:]:
        name, _, value = setting.partition("=")
        yield sql.SQL("{} SET {} = {}").format(whose, _setting_name(name), _setting_value(name, value))


def _system(_: Connection[Any], change: Change) -> Iterator[Composed]:
    from psycopg import sql

    before = dict(_AUTO_LINE.findall(str((change.before or ("",))[0])))
    after = dict(_AUTO_LINE.findall(str((change.after or ("",))[0])))
    for name in after.keys() - before.keys():
        yield sql.SQL("ALTER SYSTEM RESET {}").format(_setting_name(name))
    for name, value in before.items():
        if after.get(name) != value:
            plain = value.replace("''", "'")
            yield sql.SQL("ALTER SYSTEM SET {} = {}").format(_setting_name(name), _setting_value(name, plain))
    yield sql.SQL("SELECT pg_reload_conf()").format()


def _database(connection: Connection[Any], change: Change) -> Iterator[Composed]:
    from psycopg import sql

    if change.before is None:
        drop(connection, change.name, grace=0)
        return
    if change.after is None:
        raise IsolationError("a dropped database cannot be brought back")
    name = sql.Identifier(change.name)
    if change.was:
        yield sql.SQL("ALTER DATABASE {} RENAME TO {}").format(name, sql.Identifier(change.was))
        name = sql.Identifier(change.was)
    owner, allow, limit, template, rights = change.before
    yield sql.SQL("ALTER DATABASE {} OWNER TO {}").format(name, sql.Identifier(owner))
    yield sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {} CONNECTION LIMIT {} IS_TEMPLATE {}").format(
        name, _plain(allow), _plain(limit), _plain(template)
    )
    if rights != change.after[4]:
        # Grants register who depends on whom; the exact list, which may be "as made", can only be written.
        for rolename in _grantees(connection, change.after[4]):
            yield sql.SQL("REVOKE ALL ON DATABASE {} FROM {}").format(name, sql.Identifier(rolename))
        for rolename in _grantees(connection, rights):
            yield sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, sql.Identifier(rolename))
        yield sql.SQL("SET allow_system_table_mods = on").format()
        yield sql.SQL("UPDATE pg_database SET datacl = {}::aclitem[] WHERE datname = {}").format(
            sql.Literal(rights), sql.Literal(change.was or change.name)
        )
        yield sql.SQL("RESET allow_system_table_mods").format()


def _slot(_: Connection[Any], change: Change) -> Iterator[Composed]:
    from psycopg import sql

    if change.before is not None:
        raise IsolationError("a dropped replication slot cannot be brought back")
    name = sql.Literal(change.name)
    yield sql.SQL("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = {}").format(name)
    yield sql.SQL("SELECT pg_drop_replication_slot({})").format(name)


def _grantees(connection: Connection[Any], rights: str | None) -> list[str]:
    """Return the roles that an access control list names, but the owner."""
    rows = connection.execute(
        "SELECT DISTINCT rolname FROM aclexplode(%s::aclitem[]) JOIN pg_authid r ON r.oid = grantee"
        " WHERE grantee <> grantor",
        (rights,),
    ).fetchall()
    return [rolename for (rolename,) in rows]


def _is_there(connection: Connection[Any], name: str) -> bool:
    """Whether there is a role or a database of that name."""
    query = "SELECT 1 FROM pg_authid WHERE rolname = %(name)s UNION SELECT 1 FROM pg_database WHERE datname = %(name)s"
    return connection.execute(query, {"name": name}).fetchone() is not None


def _plain(words: str) -> SQL:
    """Take words into a statement that are ours or the catalog's: keywords, numbers, true and false."""
    from psycopg import sql

    return sql.SQL(words)  # pyright: ignore[reportArgumentType]  it would take literals only


def _setting_name(name: str) -> Composed:
    """Return a setting's name as SQL takes it: that of an extension has two parts."""
    from psycopg import sql

    return sql.SQL(".").join([sql.Identifier(part) for part in name.split(".")])


def _setting_value(name: str, value: str) -> Composed:
    from psycopg import sql

    values = [each.strip().strip('"') for each in value.split(",")] if name.lower() in _LISTS else [value]
    return sql.SQL(", ").join([sql.Literal(each) for each in values])


_UNDO = {
    "role": _role,
    "membership": _membership,
    "setting": _setting,
    "system": _system,
    "database": _database,
    "slot": _slot,
}
