"""What is in a PostgreSQL server beside its data: a worker's database, and the server as it was when it was new."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from typing import Any

from podjig.errors import ContainerError, ServerRefusal
from podjig.services.postgres_wire import PostgresWire, identifier, literal

TEMPLATES = "podjig_template_"
"""What the names of podjig's templates begin with. A reset leaves them: making them may have been expensive."""

NEW = f"{TEMPLATES}new"
"""The database as it was when the server was new."""

PART = "podjig: a worker's part"
"""The comment of a worker's database, by which tests of other workers know that no test has left it behind."""

_TOLD = {
    "rest": "the image's roles or databases, a tablespace, or a replication slot, subscription or prepared transaction",
    "settings": "the server's settings",
    "written": "a database of the image's other than the main one",
}
_LIMIT = 63
_PATIENCE = 10.0
_TEMPLATE_IN_USE = "55006"
_EXISTS = ("42P04", "23505")  # the second where another makes it at the same moment
_NEEDED = "2BP01"

MADE = "on the server"
"""By this name a template's comment, which is JSON, lists what its migration made beside it: roles, for instance."""

_DATABASES = "SELECT datname, datistemplate, shobj_description(oid, 'pg_database') FROM pg_database ORDER BY 1"
_COUNTS = """SELECT datname, tup_inserted + tup_updated + tup_deleted, xact_commit + xact_rollback,
to_jsonb(s) ->> 'sessions' FROM pg_stat_database s WHERE datname IS NOT NULL ORDER BY 1"""
_SETTINGS = "SELECT md5(string_agg(concat_ws(' ', sourcefile, name, setting), ' ')) FROM pg_file_settings"
_STRANGERS = "SELECT count(*) FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()"
_TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()"
)


def database_of(dbname: str, worker: str) -> str:
    """Return the name of a worker's database, at most 63 bytes long."""
    name = f"{dbname}_{worker}"
    if len(name.encode()) <= _LIMIT:
        return name
    tail = f"_{hashlib.sha256(dbname.encode()).hexdigest()[:8]}_{worker}"
    return dbname.encode()[: _LIMIT - len(tail.encode())].decode("utf-8", "ignore") + tail


def ensure_part(wire: PostgresWire, template: str, name: str) -> None:
    """Make a worker's database as a copy of another, unless it is there.

    Raises:
        ContainerError: Others are connected to the template all the time.
    """
    ensure_copy(wire, template, name)
    wire.run(f"COMMENT ON DATABASE {identifier(name)} IS {literal(PART)}")


def ensure_copy(wire: PostgresWire, template: str, name: str) -> None:
    """Make a database as a copy of another, unless it is there.

    Raises:
        ContainerError: Others are connected to the template all the time.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            wire.run(f"CREATE DATABASE {identifier(name)} TEMPLATE {identifier(template)}")
        except ServerRefusal as error:
            if error.code in _EXISTS and wire.rows(_named(name)):
                return
            if error.code != _TEMPLATE_IN_USE or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def remember(wire: PostgresWire, dbname: str) -> str:
    """Return what the server is like; for :func:`reset`. There is a copy of the database as it is: :data:`NEW`."""
    _end_sessions(wire)  # what they have done is counted when they are gone
    system, roles, databases, owner = wire.run(
        "SELECT system_identifier FROM pg_control_system()",
        "SELECT rolname FROM pg_roles ORDER BY 1",
        "SELECT datname FROM pg_database ORDER BY 1",
        _named(dbname),
    )
    memory = {
        "system": system[0][0],
        "roles": [row[0] for row in roles],
        "databases": [row[0] for row in databases if row[0] != NEW],
        "owner": owner[0][0],
    }
    return json.dumps({**memory, **_look(wire, dbname, memory)})


def reset(wire: PostgresWire, dbname: str, remembered: str) -> str:
    """Make the server as new, and prove it; see ``SharingMethods.reset``."""
    memory: dict[str, Any] = json.loads(remembered)
    if wire.rows("SELECT system_identifier FROM pg_control_system()")[0][0] != memory["system"]:
        raise ContainerError("it is another server than the remembered one")
    _end_sessions(wire)
    roles, databases = wire.run("SELECT rolname FROM pg_roles ORDER BY 1", _DATABASES)
    before = _look(wire, dbname, memory)
    statements = []
    for name, is_template, comment in databases:
        assert name is not None
        if name in memory["databases"] or (name.startswith(TEMPLATES) and not _made_more(comment)):
            continue
        if is_template == "t":
            statements.append(f"ALTER DATABASE {identifier(name)} IS_TEMPLATE false")
        statements.append(f"DROP DATABASE {identifier(name)}")
    if before["used"] != memory["used"]:
        owner = identifier(memory["owner"])
        statements += [
            f"DROP DATABASE IF EXISTS {identifier(dbname)}",
            f"CREATE DATABASE {identifier(dbname)} TEMPLATE {identifier(NEW)} OWNER {owner}",
        ]
    if before["settings"] != memory["settings"]:
        statements += ["ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()"]
    wire.run(*statements)
    for role in [str(row[0]) for row in roles if row[0] not in memory["roles"]]:
        try:
            wire.run(f"DROP ROLE {identifier(role)}")
        except ServerRefusal as error:
            if error.code != _NEEDED:  # a template's: it stays, with the template
                raise
    after = _look(wire, dbname, memory) if statements else before
    for what in ("rest", "settings", "written"):
        same = after[what] == memory[what] if what != "written" else _untouched(memory[what], after[what])
        if not same:
            raise ContainerError(f"something was changed that cannot be undone: {_TOLD[what]}")
    return json.dumps({**memory, **after})


def _made_more(comment: str | None) -> bool:
    """Whether the migration of a template made something that a reset takes away: then it has to run again."""
    try:
        return bool(json.loads(comment or "{}")[MADE])
    except (ValueError, KeyError, TypeError):  # nobody wrote down what it made
        return False


def _end_sessions(wire: PostgresWire) -> None:
    """End what an earlier user has left connected."""
    deadline = time.monotonic() + _PATIENCE
    while wire.rows(_STRANGERS)[0][0] != "0":
        if time.monotonic() > deadline:
            raise ContainerError("sessions of earlier users cannot be ended")
        wire.run(_TERMINATE)
        time.sleep(0.005)


def _look(wire: PostgresWire, dbname: str, memory: dict[str, Any]) -> dict[str, Any]:
    """Return what tells whether something was changed.

    Of the main database any transaction counts: not all that can be changed counts as written (sequences do not). The
    others are visited by the server itself as well, which may write down statistics.
    """
    counts, rest, settings = wire.run(_COUNTS, _rest(memory["roles"], memory["databases"]), _SETTINGS)
    others = set(memory["databases"]) - {dbname}
    return {
        "used": [[name, used] for name, _, used, _ in counts if name == dbname],
        "written": {name: [written, sessions] for name, written, _, sessions in counts if name in others},
        "rest": rest[0][0],
        "settings": settings[0][0],
    }


def _untouched(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether no client has written to a database. Before PostgreSQL 14 the server does not count who was there."""
    return before.keys() == after.keys() and all(
        after[name][0] == written or (sessions is not None and after[name][1] == sessions)
        for name, (written, sessions) in before.items()
    )


def _rest(roles: Iterable[str], databases: Iterable[str]) -> str:
    """Return the query for a digest of what is the server's and not a database's."""
    mine, known = _array(roles), _array(databases)
    return f"""SELECT md5(string_agg(line, ' ' ORDER BY line)) FROM (
    SELECT to_jsonb(r)::text AS line FROM pg_authid r WHERE rolname = ANY({mine})
    UNION ALL SELECT (to_jsonb(m) - 'oid')::text FROM pg_auth_members m
        JOIN pg_authid r ON r.oid = m.member WHERE r.rolname = ANY({mine})
    UNION ALL SELECT concat_ws(' ', d.datname, r.rolname, s.setconfig) FROM pg_db_role_setting s
        LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_authid r ON r.oid = s.setrole
        WHERE (r.oid IS NULL OR r.rolname = ANY({mine})) AND (d.oid IS NULL OR d.datname = ANY({known}))
    UNION ALL SELECT (to_jsonb(d) - '{{oid,datfrozenxid,datminmxid,datlastsysoid}}'::text[])::text FROM pg_database d
        WHERE datname = ANY({known})
    UNION ALL SELECT to_jsonb(t)::text FROM pg_tablespace t
    UNION ALL SELECT slot_name FROM pg_replication_slots
    UNION ALL SELECT gid FROM pg_prepared_xacts
    UNION ALL SELECT subname FROM pg_subscription
) AS lines"""  # noqa: S608  quoted


def _named(database: str) -> str:
    """Return the query for a database's owner."""
    return f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = {literal(database)}"  # noqa: S608  quoted


def _array(names: Iterable[str]) -> str:
    return f"ARRAY[{', '.join(map(literal, names))}]::name[]"
