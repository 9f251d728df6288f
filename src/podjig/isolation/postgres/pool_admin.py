"""A pool client's own connection to the server: what it asks by it, and what it sees to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from podjig.isolation.postgres.broker.orphans import hold
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.names import process_token
from podjig.isolation.postgres.roles import Guard
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.server_state import State

if TYPE_CHECKING:
    from psycopg import Connection


class Admin:
    """A connection that is opened again if somebody ends it, and what it has to do for the tests of this process.

    It speaks for their databases, and undoes what they change on the whole server. The server's state, which that
    takes, is asked for early and read late: meanwhile the server answers, and the test gets ready.
    """

    def __init__(self, server: PostgresServer, *, shared: bool) -> None:
        """Describe it; it is opened when it is first needed.

        Args:
            server: The server.
            shared: Whether other processes use it too.
        """
        self._server = server
        self._shared = shared
        self._connection: Connection[Any] | None = None
        self._identity: tuple[Any, ...] = ()
        self._spoken_for: set[str] = {process_token()}
        self._guard: Guard | None = None
        self._asked: str | None = None  # for which database the state was asked for and is not read yet; "" at its end
        self._before: dict[str, State] = {}
        self._after = State([])

    @property
    def connection(self) -> Connection[Any]:
        """The connection.

        Raises:
            IsolationError: The server cannot be reached.
        """
        self.read_state()
        if self._connection is None or self._connection.closed:
            self._connection = self._server.connect()
            row = self._connection.execute(
                "SELECT system_identifier, pg_postmaster_start_time()::text FROM pg_control_system()"
            ).fetchone()
            self._identity = tuple(row or ())
            for token in self._spoken_for:
                hold(self._connection, token)
        return self._connection

    @property
    def identity(self) -> tuple[Any, ...]:
        """What tells this start of this server from all others."""
        assert self.connection is not None
        return self._identity

    @property
    def is_lost(self) -> bool:
        """Whether somebody has ended the connection."""
        return self._connection is not None and self._connection.closed

    def speak_for(self, token: str) -> None:
        """Let nobody take the databases with a token for orphans, as long as this lasts."""
        if token not in self._spoken_for:
            self._spoken_for.add(token)
            try:
                hold(self.connection, token)
            except psycopg().OperationalError:  # something ended our connection: a new one speaks for all of them
                self.disconnect()
                assert self.connection is not None

    def enter(self, name: str) -> None:
        """Ask how the server stands as a test begins to use a database."""
        self._ask(Guard.send_enter, name)

    def read_state(self) -> None:
        """Read the server's answer, if there is one to be read: before it, nothing else can be asked."""
        asked, self._asked = self._asked, None
        if asked is None or self._guard is None:
            return
        try:
            state = self._guard.receive()
        except psycopg().OperationalError:
            self.disconnect()
            state = self._watch().enter() if asked else self._watch().read()
        if asked:
            self._before[asked] = state
        else:
            self._after = state

    def leave(self, name: str, *, free: Callable[[], None]) -> list[str]:
        """Undo what was changed on the whole server since :meth:`enter`, and return it, each in words.

        Args:
            name: The database.
            free: Called first where something was changed: drops the database, which may hold on to roles.
        """
        self.read_state()
        before = self._before.pop(name)
        self._ask(Guard.send_leave, "")
        self.read_state()
        try:
            return self._watch().undo(before, self._after, free=free)
        except psycopg().OperationalError:  # something ended our connection meanwhile
            self.disconnect()
            return self._watch().undo(before, self._after, free=free)

    def disconnect(self) -> None:
        """Close the connection; the next use opens another."""
        self._asked = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, ask: Callable[[Guard], None], name: str) -> None:
        try:
            ask(self._watch())
        except psycopg().OperationalError:  # a test has ended our connection
            self.disconnect()
            ask(self._watch())
        self._asked = name

    def _watch(self) -> Guard:
        """Return what undoes changes of the whole server. On one that podjig did not start, others may be at work."""
        if self._guard is None or self._guard.connection is not self.connection:
            self._guard = Guard(self.connection, undoes=bool(self._server.container), shared=self._shared)
        return self._guard
