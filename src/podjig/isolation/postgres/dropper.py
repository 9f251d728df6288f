"""Drops databases in the background, so that no test waits for the end of the one before."""

from __future__ import annotations

import os
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

from podjig.errors import PodjigError
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.protocol import Leftover

if TYPE_CHECKING:
    from psycopg import Connection

WAITING = 8
"""Databases that may wait to be dropped. One more, and giving it up waits: they take room on the server."""

_PATIENCE = 2.0
"""Seconds in which a connection that was lost is opened again."""

_PAUSE = 0.05


class Dropper:
    """A thread with a connection of its own, begun with the first database."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._owner = os.getpid()
        self._names: queue.Queue[tuple[str, str] | None] = queue.Queue(WAITING)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._leftovers: list[Leftover] = []
        self._unreachable = False

    def drop(self, name: str, requester: str) -> None:
        """Drop a database, soon."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="podjig-dropper", daemon=True)
            self._thread.start()
        self._names.put((name, requester))

    def leftovers(self) -> list[Leftover]:
        """Return what was found left behind since the last call, and what could not be dropped."""
        with self._lock:
            found, self._leftovers = self._leftovers, []
        return found

    def close(self) -> None:
        """Drop what is waiting, then end. In a forked child, do nothing: the thread is the parent's."""
        thread, self._thread = self._thread, None
        if thread is not None and os.getpid() == self._owner:
            self._names.put(None)
            thread.join()

    def _run(self) -> None:
        connection: Connection[Any] | None = None
        try:
            while (item := self._names.get()) is not None:
                name, requester = item
                connection, left = self._dropped(connection, name)
                with self._lock:
                    self._leftovers += [Leftover(requester=requester, what=what) for what in left]
        finally:
            if connection is not None:
                connection.close()

    def _dropped(self, connection: Connection[Any] | None, name: str) -> tuple[Connection[Any] | None, list[str]]:
        """Drop a database; return the connection for the next one, and what was left behind.

        A test may end our connection at any moment, also while it is being opened, and more than once.
        """
        until = time.monotonic() + (0 if self._unreachable else _PATIENCE)
        while True:
            try:
                if connection is None or connection.closed:
                    connection = self._server.connect()
                    self._unreachable = False
                return connection, drop(connection, name)
            except (PodjigError, psycopg().Error) as error:
                is_lost = connection is None or connection.closed
                if not is_lost or time.monotonic() > until:
                    self._unreachable = is_lost  # the next one does not wait for it as well
                    said = error.message if isinstance(error, PodjigError) else str(error).strip()
                    return connection, [f"database {name!r}, which could not be dropped: {said}"]
            time.sleep(_PAUSE)
