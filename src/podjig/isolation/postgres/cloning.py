"""What the ways have in common that clone a template in the test's own process: no broker has a part in them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from podjig.errors import IsolationError
from podjig.isolation.postgres.broker.orphans import drop_orphans, hold, mark_kept
from podjig.isolation.postgres.capacity import FOR_A_TEST, check_capacity
from podjig.isolation.postgres.clone import clone
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.dropper import Dropper
from podjig.isolation.postgres.migration.protocol import Migration
from podjig.isolation.postgres.names import database_name, process_token
from podjig.isolation.postgres.roles import Guard
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template
from podjig.isolation.protocol import Leftover

if TYPE_CHECKING:
    from psycopg import Connection

    from podjig.isolation.postgres.server_state import State


class Clone(Protocol):
    """A database of ours, and what there is here that belongs to it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    def close(self) -> None:
        """Close our connections to it."""
        ...


Item = TypeVar("Item", bound=Clone)
Result = TypeVar("Result")


class CloningDatabases(Generic[Item]):
    """Clones of one template, made here when they are needed, dropped in the background.

    They carry this process's token, which a connection of ours speaks for: so those of a process that was killed are
    dropped by the next one that comes to the server. A forked child begins anew.
    """

    _ours: ClassVar[int]
    """Connections that podjig has for each process."""

    _of_a_test: ClassVar[int] = FOR_A_TEST
    """Connections that a test may have besides."""

    def __init__(
        self,
        server: PostgresServer,
        *,
        migration: Migration,
        worker: str = "",
        workers: int = 1,
        undo: bool = True,
    ) -> None:
        """Remember what to clone; nothing is done before the first use.

        Args:
            server: The server.
            migration: What makes the schema.
            worker: This process's name among those that share the server.
            workers: How many they are.
            undo: Whether what is changed on the whole server is undone, in those of the ways that can.
        """
        self._server = server
        self._migration = migration
        self._worker = worker
        self._workers = workers
        self._undo = undo
        self._template: str | None = None
        self._free: list[Item] = []
        self._given: dict[int, Given[Item]] = {}
        self._found: list[Leftover] = []
        self._hold: _Hold | None = None
        self._inherited: list[object] = []
        self._owner: int = os.getpid()
        self._dropper: Dropper = Dropper(server)

    def leftovers(self) -> list[Leftover]:
        """Return what tests left behind in their databases and on the whole server, as far as it is known by now."""
        found, self._found = self._found, []
        return found + self._dropper.leftovers()

    def close(self) -> None:
        """Drop the databases but those kept, and wait until that is done."""
        if self._is_inherited:
            return
        for given in self._given.values():
            self._discard(given.clone, given.requester)
        self._given.clear()
        while self._free:
            self._discard(self._free.pop(), "")
        self._dropper.close()
        held, self._hold = self._hold, None
        if held is not None:
            held.connection.close()

    def _give(self, state: PostgresDatabase, clone: Item, requester: str, *, guarded: bool = True) -> None:
        """Remember to whom a database is given, and how the whole server stands, if that is to be guarded."""
        try:
            before = self._enter() if guarded and self._undo else None
        except BaseException:
            self._discard(clone, requester)
            raise
        self._given[id(state)] = Given(state=state, clone=clone, requester=requester, before=before)

    def _taken(self, state: PostgresDatabase) -> Given[Item] | None:
        """Return what a state was given for; nothing if it is none of this process's."""
        return None if self._is_inherited else self._given.pop(id(state), None)

    def _made(self, hint: str) -> str:
        """Return the name of a clone made just now.

        Raises:
            MigrationError: The migration failed.
            IsolationError: The server refuses.
        """
        name = database_name(hint, spoken_for=True)
        try:
            self._clone(name)
        except IsolationError:
            if self._hold is None or not self._hold.connection.closed:
                raise
            self._clone(name, again=True)  # something ended our connection; where the server is gone, this says so
        return name

    def _enter(self) -> State:
        """Return how the whole server stands as a test begins."""
        return self._guarded(Guard.enter)

    def _leave(self, given: Given[Item], *, keep: bool) -> bool:
        """Undo what a test changed on the whole server; return whether its database had to be dropped for that."""
        dropped = False

        def free() -> None:
            nonlocal dropped
            if not keep:
                given.clone.close()
                self._tell(given.requester, drop(self._held().connection, given.clone.name))
                dropped = True

        before = given.before
        if before is not None:
            try:
                self._tell(given.requester, self._guarded(lambda guard: guard.leave(before, free=free)))
            except (psycopg().Error, IsolationError) as error:
                if self._hold is not None and not self._hold.connection.closed:  # else the server is gone, with it all
                    what = f"changes of the whole server, if it made any: {str(error).strip()}"
                    self._tell(given.requester, [what])
        return dropped

    def _guarded(self, do: Callable[[Guard], Result]) -> Result:
        """Do something with what looks after the whole server; once more where a test has ended our connection."""
        try:
            return do(self._guard())
        except psycopg().Error:
            self._held().connection.close()
            return do(self._guard())

    def _discard(self, clone: Item, requester: str) -> None:
        """Drop a database, soon."""
        clone.close()
        self._dropper.drop(clone.name, requester)

    def _keep(self, clone: Item, requester: str) -> None:
        """Leave a database to be looked at."""
        clone.close()
        mark_kept(self._held().connection, clone.name, requester)

    def _tell(self, requester: str, left: list[str]) -> None:
        self._found += [Leftover(requester=requester, what=what) for what in left]

    def _clone(self, name: str, *, again: bool = False) -> None:
        connection = self._held().connection
        assert self._template is not None
        clone(connection, self._template, name, again=again)

    def _guard(self) -> Guard:
        held = self._held()
        if held.guard is None:
            # Changes on a server that podjig did not start may be somebody else's: they are told only.
            undoes, shared = bool(self._server.container), self._workers > 1
            held.guard = Guard(held.connection, undoes=undoes, shared=shared)
        return held.guard

    def _held(self) -> _Hold:
        """Return our hold on the server; a new one, where a test ended the connection of the last."""
        if self._hold is None or self._hold.connection.closed:
            self._template = self._template or ensure_template(self._server, self._migration)
            connection = self._server.connect()
            try:
                check_capacity(connection, workers=self._workers, ours=self._ours, of_a_test=self._of_a_test)
                hold(connection, process_token())
                self._sweep(connection)
            except BaseException:
                connection.close()
                raise
            self._hold = _Hold(connection=connection)
        return self._hold

    def _sweep(self, connection: Connection[Any]) -> None:
        """Drop what processes that were killed left on the server; what cannot be dropped is in nobody's way."""
        try:
            drop_orphans(connection)
        except IsolationError as error:
            self._tell("an earlier run", [f"a database that cannot be dropped ({error.message})"])

    @property
    def _is_inherited(self) -> bool:
        """Whether this is a forked child, and what is here its parent's."""
        return os.getpid() != self._owner

    def _begin(self) -> None:
        """Begin in this process. What a fork left us is kept unused: it is our parent's to close."""
        self._inherited += [self._hold, self._free, self._given]
        self._owner = os.getpid()
        self._hold = None
        self._free, self._given, self._found = [], {}, []
        self._dropper = Dropper(self._server)


@dataclass(kw_only=True)
class _Hold:
    """Our connection to the server, and what looks after the server's own state by it."""

    connection: Connection[Any]
    guard: Guard | None = None


@dataclass(frozen=True, kw_only=True)
class Given(Generic[Item]):
    """A database that is given out.

    Attributes:
        state: What was given.
        clone: The database.
        requester: To whom.
        before: How the whole server stood then.
    """

    state: PostgresDatabase
    clone: Item
    requester: str
    before: State | None
