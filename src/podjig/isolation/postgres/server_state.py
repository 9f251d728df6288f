"""What belongs to the whole server, and so does not go with a test's database.

Roles, their passwords, memberships and settings, ``ALTER SYSTEM``, other databases, physical replication slots.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

# 16384 is FirstNormalObjectId of the server's sources: below are its own roles, of which 10 is the first superuser.
QUERY = """
SELECT 'role', rolname, oid, to_json(ARRAY[rolsuper::text, rolinherit::text, rolcreaterole::text, rolcreatedb::text,
    rolcanlogin::text, rolreplication::text, rolbypassrls::text, rolconnlimit::text, rolpassword, rolvaliduntil::text])
  FROM pg_authid WHERE oid >= 16384 OR oid = 10
UNION ALL
SELECT 'membership', format('%I in %I', u.rolname, g.rolname), NULL,
    to_json(ARRAY[u.rolname::text, g.rolname, by.rolname, m.admin_option::text,
    to_jsonb(m) ->> 'inherit_option', to_jsonb(m) ->> 'set_option'])
  FROM pg_auth_members m JOIN pg_authid g ON g.oid = roleid JOIN pg_authid u ON u.oid = member
  LEFT JOIN pg_authid by ON by.oid = grantor WHERE m.roleid >= 16384 OR m.member >= 16384
UNION ALL
SELECT 'setting', coalesce(nullif(concat_ws(' in ', 'role ' || r.rolname, 'database ' || d.datname), ''), 'all roles'),
    NULL, to_json(ARRAY[r.rolname::text, d.datname] || setconfig)
  FROM pg_db_role_setting LEFT JOIN pg_authid r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase
  WHERE d.datname IS NULL OR NOT starts_with(d.datname, 'podjig_')
UNION ALL
SELECT 'system', 'postgresql.auto.conf', NULL, to_json(ARRAY[pg_read_file('postgresql.auto.conf')])
UNION ALL
SELECT 'database', datname, oid, to_json(ARRAY[pg_get_userbyid(datdba)::text, datallowconn::text, datconnlimit::text,
    datistemplate::text, datacl::text])
  FROM pg_database WHERE NOT starts_with(datname, 'podjig_')
UNION ALL
SELECT 'slot', slot_name, NULL, to_json(ARRAY[slot_type])
  FROM pg_replication_slots WHERE database IS NULL AND NOT temporary
"""
"""Reads it all: kind, name, oid (of what can be renamed), details. It takes the server 0.1 ms."""

Key = tuple[str, str]
"""The kind of a thing, and its name."""

Details = tuple[Any, ...]


@dataclass(frozen=True)
class State:
    """All of it, at one moment.

    Attributes:
        rows: As the server sent them; they are looked into only where they differ.
    """

    rows: list[tuple[bytes | None, ...]]

    @cached_property
    def things(self) -> dict[Key, Details]:
        """Each thing's details."""
        return {_key(row): tuple(json.loads(row[3] or b"[]")) for row in self.rows}

    @cached_property
    def oids(self) -> dict[Key, bytes]:
        """The number of each thing that can be renamed."""
        return {_key(row): row[2] for row in self.rows if row[2]}


def _key(row: tuple[bytes | None, ...]) -> Key:
    return (row[0] or b"").decode(), (row[1] or b"").decode()


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that was made, changed or removed.

    Attributes:
        kind: ``role``, ``membership``, ``setting``, ``system``, ``database`` or ``slot``.
        name: Its name.
        before: Its details before; ``None`` where it was not there.
        after: Its details now; ``None`` where it is no more.
        was: Its name before, where it was renamed.
    """

    kind: str
    name: str
    before: Details | None
    after: Details | None
    was: str = ""

    def __str__(self) -> str:
        if self.kind == "system":
            return "a change by ALTER SYSTEM"
        thing = "physical replication slot" if self.kind == "slot" else self.kind
        if self.was:
            return f"a {thing} renamed from {self.was!r} to {self.name!r}"
        verb = "new" if self.before is None else "removed" if self.after is None else "changed"
        return f"a {verb} {thing} ({self.name!r})"


def changes(before: State, after: State) -> list[Change]:
    """Return what differs; what was renamed is one change."""
    if before.rows == after.rows:
        return []
    olds = {oid: key for key, oid in before.oids.items()}
    found = []
    renamed: set[Key] = set()
    for key in after.things.keys() - before.things.keys():
        old = olds.get(after.oids.get(key, b""))
        if old is not None and old[0] == key[0] and old not in after.things:
            renamed |= {key, old}
            was, now = before.things[old], after.things[key]
            found.append(Change(kind=key[0], name=key[1], before=was, after=now, was=old[1]))
    for key in (before.things.keys() | after.things.keys()) - renamed:
        one, other = before.things.get(key), after.things.get(key)
        if one != other:
            found.append(Change(kind=key[0], name=key[1], before=one, after=other))
    return sorted(found, key=lambda change: (change.kind, change.name))
