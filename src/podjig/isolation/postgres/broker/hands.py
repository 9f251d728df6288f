"""The broker's threads: each has a connection to the server, and does one job after another."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

from podjig.errors import IsolationError
from podjig.isolation.postgres.broker.orphans import drop_orphans, hold
from podjig.isolation.postgres.clone import clone
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.drop import GRACE, drop
from podjig.isolation.postgres.leftovers import look
from podjig.isolation.postgres.names import process_token

if TYPE_CHECKING:
    from psycopg import Connection

HANDS = 2
"""How many there are. On two processors a third makes nothing quicker; where there are more, tests want them."""

DISK_FULL = "53100"

_CONNECT_TIMEOUT = 10

_TRIES = 3
"""How often a job is done whose connection is lost: a test may end all connections, more than once."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """Something to do on the server.

    Attributes:
        kind: ``clone`` a template, ``drop`` a used database, or ``sweep``: drop what is nobody's.
        name: The database to make or drop.
        template: What it is, or would be, a clone of.
        returned: When it came back (monotonic time): connections to it have some time to reach their end.
    """

    kind: Literal["clone", "drop", "sweep"]
    name: str = ""
    template: str = ""
    returned: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job went.

    Attributes:
        job: The job.
        left: What a dropped database's user left behind, in words.
        busy: Nothing was dropped: connections that may be closing are still there.
        size: Bytes of the template.
        error: What went wrong.
        full: The server's disk is full.
        gone: The server cannot be reached any more.
    """

    job: Job
    left: list[str] = field(default_factory=list)
    busy: bool = False
    size: int = 0
    error: IsolationError | None = None
    full: bool = False
    gone: bool = False


class Hands:
    """The threads. Jobs go in at :meth:`do`; outcomes come out at :meth:`outcomes`, from whatever thread."""

    def __init__(self, parameters: dict[str, Any], *, count: int, wake: Callable[[], None]) -> None:
        """Start them.

        Args:
            parameters: libpq's, for connections of a superuser.
            count: How many.
            wake: Called in some thread when there is an outcome.
        """
        self._parameters = parameters
        self._wake = wake
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._outcomes: deque[Outcome] = deque()
        self.idle: int = count
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def do(self, job: Job) -> None:
        """Give a job to an idle thread."""
        self.idle -= 1
        self._jobs.put(job)

    def outcomes(self) -> list[Outcome]:
        """Return the outcomes since the last call."""
        found = []
        while self._outcomes:
            found.append(self._outcomes.popleft())
            self.idle += 1
        return found

    def dismiss(self, timeout: float) -> None:
        """Let them end when their job is done."""
        for _ in self._threads:
            self._jobs.put(None)
        until = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        connection: Connection[Any] | None = None
        while (job := self._jobs.get()) is not None:
            try:
                connection, outcome = self._attempted(connection, job)
            except psycopg().Error as error:
                lost = IsolationError(f"the server cannot be reached any more: {str(error).strip()}")
                outcome = Outcome(job=job, error=lost, gone=True)
            except Exception as error:  # noqa: BLE001  whatever it is, somebody waits for an answer
                outcome = Outcome(job=job, error=IsolationError(f"{type(error).__name__}: {error}"))
            self._outcomes.append(outcome)
            self._wake()
        if connection is not None:
            connection.close()

    def _attempted(self, connection: Connection[Any] | None, job: Job) -> tuple[Connection[Any], Outcome]:
        """Do a job by a connection, and once more by another where somebody ends that."""
        attempt = 0
        while True:
            if connection is None or connection.closed:
                connection = self._connect()
            outcome = _done(connection, job, again=attempt > 0)
            attempt += 1
            if attempt == _TRIES or not (outcome.error and connection.closed):
                return connection, outcome

    def _connect(self) -> Connection[Any]:
        made: Connection[Any] = psycopg().connect(
            **{"connect_timeout": _CONNECT_TIMEOUT, **self._parameters}, autocommit=True
        )
        hold(made, process_token())
        return made


def _done(connection: Connection[Any], job: Job, *, again: bool) -> Outcome:
    """Do a job; ``again`` if a connection was lost in the middle of it."""
    try:
        if job.kind == "sweep":
            drop_orphans(connection)
            return Outcome(job=job)
        if job.kind == "drop":
            return _drop(connection, job)
        clone(connection, job.template, job.name, again=again)
        return Outcome(job=job, size=_size(connection, job.template))
    except IsolationError as error:
        full = getattr(error.__cause__, "sqlstate", None) == DISK_FULL
        return Outcome(job=job, error=error, full=full)
    except psycopg().Error as error:
        return Outcome(job=job, error=IsolationError(f"cannot {job.kind} {job.name!r}: {str(error).strip()}"))


def _drop(connection: Connection[Any], job: Job) -> Outcome:
    """Drop a database unless connections to it may still be closing: this thread has better things to do than wait."""
    if time.monotonic() - job.returned < GRACE:
        found = look(connection, job.name)
        if any(session.is_a_clients for session in found.sessions):
            return Outcome(job=job, busy=True)
    return Outcome(job=job, left=drop(connection, job.name, grace=0))


_sizes: dict[str, int] = {}


def _size(connection: Connection[Any], template: str) -> int:
    """Return a template's size in bytes, asked for once."""
    if template not in _sizes:
        row = connection.execute("SELECT pg_database_size(%s::name)", (template,)).fetchone()
        _sizes[template] = int(row[0]) if row else 0
    return _sizes[template]
