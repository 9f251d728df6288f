"""Mode ``prefix``: each test has keys of its own in a database that all share."""

from __future__ import annotations

import os
import secrets

from podjig.isolation.protocol import Leftover
from podjig.isolation.redis.database import RedisDatabase
from podjig.isolation.redis.server import Line, RedisServer

_STEP = 1000


class PrefixDatabases:
    """Keys below a prefix that no other test has: for servers with one database, and code that can be given a prefix.

    What it guarantees: keys below the prefix are gone. Others that a test writes, and connections that it leaves
    open, are not: they might be another process's.
    """

    def __init__(
        self,
        server: RedisServer,
        *,
        worker: str = "",
        workers: int = 1,  # noqa: ARG002  every way takes the same
    ) -> None:
        """Remember what to give out.

        Args:
            server: The server.
            worker: This process's name, for people to recognise.
            workers: How many processes share the server.
        """
        self._server = server
        self._worker = worker
        self._line: Line | None = None
        self._inherited: Line | None = None
        self._given: dict[int, RedisDatabase] = {}
        self._begin()

    def acquire(self, requester: str = "") -> RedisDatabase:  # noqa: ARG002  as of every way
        """Return a prefix that has not been used yet."""
        if os.getpid() != self._owner:
            self._begin()
        self._number += 1
        prefix = ":".join(word for word in ("podjig", self._worker, self._token, str(self._number)) if word) + ":"
        state = RedisDatabase(self._server, 0, prefix=prefix)
        self._given[id(state)] = state
        return state

    def release(self, state: RedisDatabase, *, keep: bool = False) -> None:
        """Remove the keys below a prefix."""
        if os.getpid() != self._owner or self._given.pop(id(state), None) is None:
            return
        state.end()
        if not keep:
            self._remove(state.prefix)

    def leftovers(self) -> list[Leftover]:
        """Return nothing: what is a test's own can be told from others' by its keys only."""
        return []

    def close(self) -> None:
        """Remove the keys below the prefixes that are still given out."""
        if os.getpid() != self._owner:
            return
        for state in list(self._given.values()):
            self.release(state)
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _remove(self, prefix: str) -> None:
        line = self._line = self._line or Line(self._server, 0, "podjig-prefix")
        scan: tuple[str | int, ...] = ("MATCH", f"{prefix}*", "COUNT", _STEP)
        cursor = "0"
        while True:
            ((cursor, keys),) = line.ask(("SCAN", cursor, *scan))
            if keys:
                line.ask(("UNLINK", *keys))
            if cursor == "0":
                return

    def _begin(self) -> None:
        """Begin in this process. A connection that a fork left us is kept unused: it is our parent's to close."""
        self._owner = os.getpid()
        self._token = secrets.token_hex(4)
        self._number = 0
        self._given = {}
        self._inherited, self._line = self._line, None
