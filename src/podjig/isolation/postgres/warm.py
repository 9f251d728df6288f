"""A connection opened in advance, without a thread.

Nearly all of the 2 ms that it takes is the server's work: it starts a process. So one half is done when the database
is known (0.1 ms: send the start-up packet), and the other when a test asks (0.1 ms: read the answers). A thread of the
test process would do worse: beside a busy test it waits 5 ms for each turn (``sys.getswitchinterval``).
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.server import PostgresServer

if TYPE_CHECKING:
    from psycopg import AsyncConnection, Connection
    from psycopg.pq import PollingStatus

_TIMEOUT = 10.0


class Opening:
    """A connection on its way."""

    def __init__(self, conninfo: str) -> None:
        """Begin to connect to what a connection string of libpq says."""
        library = psycopg()
        self._states = library.pq.PollingStatus
        self._pgconn = library.pq.PGconn.connect_start(conninfo.encode())
        self._begun_by = os.getpid()
        self._status: PollingStatus = self._states.WRITING  # as libpq says of PQconnectStart
        self.advance()

    def advance(self) -> None:
        """Do what can be done without waiting."""
        if self._pgconn.status == psycopg().pq.ConnStatus.BAD:
            self._status = self._states.FAILED
        while self._waiting and self._ready(0):
            self._status = self._pgconn.connect_poll()

    def finish(self) -> Connection[Any] | None:
        """Return the connection, as ``psycopg.connect`` makes it; nothing where the server refused it or ended it."""
        deadline = time.monotonic() + _TIMEOUT
        while self._waiting and (left := deadline - time.monotonic()) > 0:
            self._ready(left)
            self.advance()
        # What comes before anything was asked is a farewell.
        if self._status != self._states.OK or self._readable(self._pgconn.socket):
            self.abandon()
            return None
        self._pgconn.nonblocking = 1
        made: Connection[Any] = psycopg().Connection(self._pgconn)
        return made

    def abandon(self) -> None:
        """Close it. In a forked child that would end the parent's: there it is only forgotten."""
        if self._begun_by == os.getpid():
            self._pgconn.finish()

    @property
    def is_ready(self) -> bool:
        """Whether :meth:`finish` returns at once."""
        self.advance()
        return not self._waiting

    @property
    def _waiting(self) -> bool:
        return self._status in (self._states.READING, self._states.WRITING)

    def _ready(self, timeout: float) -> bool:
        """Whether the socket is ready for the next step, within ``timeout`` seconds."""
        poll = select.poll()
        poll.register(self._pgconn.socket, select.POLLOUT if self._status == self._states.WRITING else select.POLLIN)
        return bool(poll.poll(timeout * 1000))

    @staticmethod
    def _readable(descriptor: int) -> bool:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(0))


class WarmDatabase(PostgresDatabase):
    """A database whose first connection may be on its way."""

    def __init__(
        self, server: PostgresServer, name: str, opening: Opening | None, *, on_use: Callable[[], None]
    ) -> None:
        """Describe a database.

        Args:
            server: Its server.
            name: Its name.
            opening: Its first connection.
            on_use: Called before anything that leads to the server is given out.
        """
        super().__init__(server, name)
        self._on_use = on_use
        self._opening = opening
        self._asked = False

    def take_over(self) -> None:
        """Make the connection one of psycopg's, if it is ready: else that is done when it is asked for."""
        opening = self._opening
        if opening is not None and opening.is_ready:
            self._warm, self._opening = opening.finish(), None

    def connect(self, **kwargs: Any) -> Connection[Any]:
        """Return a psycopg 3 connection to it, which closes itself at the end of a ``with`` block.

        Args:
            kwargs: For ``psycopg.connect``, like ``autocommit=True`` or ``row_factory=dict_row``.

        Raises:
            PodjigError: psycopg is not installed.
        """
        self._on_use()
        self._asked = True
        opening, self._opening = self._opening, None
        if opening is not None:
            self._warm = opening.finish()
        return super().connect(**kwargs)

    def get_url(self, driver: str | None = None) -> str:
        """As that of every database."""
        self._on_use()
        return super().get_url(driver)

    async def aconnect(self, **kwargs: Any) -> AsyncConnection[Any]:
        """As that of every database."""
        self._on_use()
        return await super().aconnect(**kwargs)

    def let_go(self) -> bool:
        """Close the connection opened in advance if nobody asked for one; return whether that was so."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.abandon()
        warm, self._warm = self._warm, None
        if warm is not None:
            warm.close()
        return not self._asked
