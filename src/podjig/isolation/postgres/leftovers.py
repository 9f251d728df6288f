"""What keeps a database in use: sessions, prepared transactions, replication slots, subscriptions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

QUERY_LENGTH = 80
"""Characters of a query that a message shows."""

_QUERY = """
SELECT 'session', pid::text, coalesce(state, ''), left(query, 1000), backend_type, backend_start::text
  FROM pg_stat_activity WHERE datname = %(name)s AND pid <> ALL(%(ours)s::int[])
UNION ALL
SELECT 'prepared', gid, '', '', '', '' FROM pg_prepared_xacts WHERE database = %(name)s
UNION ALL
SELECT 'slot', slot_name, coalesce(active_pid::text, ''), '', '', '' FROM pg_replication_slots WHERE database = %(name)s
UNION ALL
SELECT 'subscription', subname, '', '', '', ''
  FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = %(name)s)
"""


@dataclass(frozen=True, kw_only=True)
class Session:
    """One connection to a database, as its server sees it.

    Attributes:
        pid: The server's process.
        state: ``idle``, ``idle in transaction``, ``active`` ...
        query: What it runs, or ran last.
        kind: ``client backend``, ``walsender``, ``autovacuum worker`` ...
        since: When it began, as text: with the pid it tells one session from a later one.
    """

    pid: int
    state: str
    query: str
    kind: str
    since: str

    @property
    def is_a_clients(self) -> bool:
        """Whether a client opened it. The server's own workers are nobody's leftovers."""
        return self.kind in ("client backend", "walsender")

    def __str__(self) -> str:
        words = " ".join(self.query.split())
        shown = f"{words[:QUERY_LENGTH]}..." if len(words) > QUERY_LENGTH else words
        last = f", {shown!r}" if shown else ""
        if self.state.startswith("idle in transaction"):
            return f"an idle transaction (pid {self.pid}{last})"
        if self.state == "active":
            return f"a running query (pid {self.pid}{last})"
        return f"an open connection (pid {self.pid}, {self.state or 'just begun'}{last})"


@dataclass(frozen=True, kw_only=True)
class InUse:
    """What keeps one database in use. Nothing does where it is false."""

    sessions: tuple[Session, ...] = ()
    prepared: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    active: tuple[int, ...] = ()
    subscriptions: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sessions or self.prepared or self.slots or self.subscriptions)

    def described(self) -> list[str]:
        """Return what somebody left behind, each in words. A connection that never asked for anything is nothing."""
        return [
            *(str(session) for session in self.sessions if session.is_a_clients and session.query),
            *(f"a prepared transaction ({gid!r})" for gid in self.prepared),
            *(f"a replication slot ({name!r})" for name in self.slots),
            *(f"a subscription ({name!r})" for name in self.subscriptions),
        ]


def look(connection: Connection[Any], name: str, *, ours: tuple[int, ...] = ()) -> InUse:
    """Return what keeps a database in use, in one round trip.

    Args:
        connection: A superuser's, in autocommit.
        name: The database.
        ours: Server processes that do not count, besides the connection's own.
    """
    values = {"name": name, "ours": [connection.info.backend_pid, *ours]}
    rows = connection.execute(_QUERY, values).fetchall()
    of = {kind: [row[1:] for row in rows if row[0] == kind] for kind in ("session", "prepared", "slot", "subscription")}
    return InUse(
        sessions=tuple(
            Session(pid=int(pid), state=state, query=query, kind=kind, since=since)
            for pid, state, query, kind, since in of["session"]
        ),
        prepared=tuple(row[0] for row in of["prepared"]),
        slots=tuple(row[0] for row in of["slot"]),
        active=tuple(int(row[1]) for row in of["slot"] if row[1]),
        subscriptions=tuple(row[0] for row in of["subscription"]),
    )
