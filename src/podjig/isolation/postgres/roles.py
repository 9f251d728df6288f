"""Seeing to it that what a test changes on the whole server (see ``server_state.py``) does not outlive it.

The state is read before and after a test, in one round trip each, and what differs is undone before the next begins.
Tests of other processes may run on the server meanwhile, and it does not say who changed something. So each test in
progress holds a shared advisory lock; undoing takes the exclusive one, which waits for the tests in progress and keeps
new ones waiting. That costs time only where something was changed. A new database is dropped only where no other
process uses the server: with it would go what somebody put into it.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.roles_undo import undo
from podjig.isolation.postgres.server_state import QUERY, Change, Key, State, changes
from podjig.isolation.postgres.template_record import made_by_migrations, mark_of
from podjig.services.postgres_state import PART

if TYPE_CHECKING:
    from psycopg import Connection

WAIT = 2.0
"""Seconds to wait for other processes' tests, before something is left to be undone later."""

LOCK = (int.from_bytes(b"pjro", "big"), 0)
"""The advisory lock: whoever changes the whole server, and means it, holds it shared while at it."""

_READ = "EXECUTE podjig_state"


class Guard:
    """Undoes what tests change on the whole server. Bound to one connection."""

    def __init__(self, connection: Connection[Any], *, undoes: bool, shared: bool = False) -> None:
        """Get ready.

        Args:
            connection: An autocommit connection of a superuser, for as long as this lives.
            undoes: Undo changes; else only tell. On a server that others use too, they might be theirs.
            shared: Other processes of the same run use it: a new database may be one of theirs, and stays.

        Raises:
            IsolationError: The user may not read the catalogs.
        """
        self.connection = connection
        self._undoes = undoes
        self._shared = shared
        self._debts: dict[Key, Change] = {}
        # What psycopg prepares by itself, it gives up after a DROP by DEALLOCATE ALL: what is prepared here with it.
        connection.prepare_threshold = None
        try:
            connection.execute(f"PREPARE podjig_state AS {QUERY}".encode(), prepare=False)
        except psycopg().Error as error:
            raise IsolationError(
                f"user {connection.info.user!r} may not see what tests change on the whole server: {error}",
                hint="connect as a superuser",
            ) from error

    def enter(self) -> State:
        """Return the server's state as a test begins; others undo nothing until it has left.

        Raises:
            psycopg.Error: The connection is lost.
        """
        self.send_enter()
        return self.receive()

    def leave(self, before: State, *, free: Callable[[], None]) -> list[str]:
        """Undo what was changed since a test began, and return it, each in words.

        Args:
            before: What :meth:`enter` returned then.
            free: See :meth:`undo`.

        Raises:
            psycopg.Error: The connection is lost.
        """
        self.send_leave()
        return self.undo(before, self.receive(), free=free)

    # The same in steps, for who has something to do while the server answers

    def send_enter(self) -> None:
        """Ask for the state as a test begins; nothing else may be asked before :meth:`receive`."""
        self._send(f"SELECT pg_advisory_lock_shared{LOCK}; {_READ}")

    def send_leave(self) -> None:
        """Ask for the state as a test ends; nothing else may be asked before :meth:`receive`."""
        self._send(f"{_READ}; SELECT pg_advisory_unlock_shared{LOCK}")

    def receive(self) -> State:
        """Return the state that was asked for."""
        library, pgconn = psycopg(), self.connection.pgconn
        poll = select.poll()
        poll.register(pgconn.socket, select.POLLIN)
        rows: list[tuple[bytes | None, ...]] = []
        failure = ""
        while True:
            while pgconn.is_busy():
                poll.poll()
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                break
            if result.status != library.pq.ExecStatus.TUPLES_OK:
                failure = failure or result.error_message.decode("utf-8", "replace").strip()
            elif result.nfields == 4:
                rows = [tuple(result.get_value(row, column) for column in range(4)) for row in range(result.ntuples)]
        if failure:
            raise library.OperationalError(failure)
        return State(rows)

    def read(self) -> State:
        """Return the state as it is, outside any test."""
        self._send(_READ)
        return self.receive()

    def undo(self, before: State, after: State, *, free: Callable[[], None]) -> list[str]:
        """Undo what differs, and return it, each in words.

        Args:
            before: The state as the test began.
            after: That as it ended.
            free: Called first where something differs: drops the database, which may hold on to roles.

        Raises:
            psycopg.Error: The connection is lost.
        """
        found = changes(before, after)
        if not found and not self._debts:
            return []
        if not self._undoes:
            return [f"{change} of the whole server, which stays: others may use it too" for change in found]
        if found:
            free()
        return self._settle(found)

    def _settle(self, found: list[Change]) -> list[str]:
        """Undo changes, and those that could not be undone earlier."""
        others = bool(found) and self._others()
        self._debts.update({(change.kind, change.name): change for change in found})
        if not self._locked(WAIT if found else 0):
            return [f"{change}{_whose(others)}, which stays while other processes' tests run" for change in found]
        try:
            now = self.read().things  # another process may have undone something
            meant, parts = made_by_migrations(self.connection), self._parts()
            found = [each for each in found if mark_of(each) not in meant and (each.kind, each.name) not in parts]
            owed = [each for key, each in self._debts.items() if now.get(key) == each.after]
            owed = [each for each in owed if mark_of(each) not in meant and not self._may_be_anothers(each)]
            failures = undo(self.connection, owed)
            failures |= dict.fromkeys(
                ((each.kind, each.name) for each in found if self._may_be_anothers(each)), "it may be another process's"
            )
        finally:
            self._debts.clear()
            self.connection.execute(f"SELECT pg_advisory_unlock{LOCK}".encode(), prepare=False)
        told = []
        for change in found:
            failure = failures.get((change.kind, change.name))
            whose = _whose(others or now.get((change.kind, change.name)) != change.after)
            told.append(f"{change}{whose}{f', which stays: {failure}' if failure else ''}")
        return told

    def _may_be_anothers(self, change: Change) -> bool:
        return self._shared and change.kind == "database" and change.before is None

    def _parts(self) -> set[Key]:
        """Return the databases that are workers' parts of the server."""
        rows = self.connection.execute(
            "SELECT datname FROM pg_database WHERE shobj_description(oid, 'pg_database') = %s", (PART,)
        ).fetchall()
        return {("database", name) for (name,) in rows}

    def _others(self) -> bool:
        """Whether tests of other processes are running, or have just ended and wait to undo something."""
        query = (
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s"
            " AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND pid <> pg_backend_pid())"
        )
        return self.connection.execute(query, LOCK).fetchone() == (True,)

    def _locked(self, wait: float) -> bool:
        """Wait for other processes' tests; return whether none is running and none can begin."""
        execute = self.connection.execute
        if wait == 0:
            row = execute(f"SELECT pg_try_advisory_lock{LOCK}".encode(), prepare=False).fetchone()
            return bool(row and row[0])
        execute(f"SET lock_timeout = {round(wait * 1000)}".encode(), prepare=False)
        try:
            execute(f"SELECT pg_advisory_lock{LOCK}".encode(), prepare=False)
        except psycopg().errors.LockNotAvailable:
            return False
        finally:
            execute(b"RESET lock_timeout", prepare=False)
        return True

    # psycopg sends a query and waits; in between there is something to do

    def _send(self, statements: str) -> None:
        """Send statements that the server runs one after another: one round trip."""
        self.connection.pgconn.send_query(statements.encode())
        self.connection.pgconn.flush()  # it fits into the socket's buffer


def _whose(others: bool) -> str:
    return f" of the whole server{', by this test or one of another process' if others else ''}"
