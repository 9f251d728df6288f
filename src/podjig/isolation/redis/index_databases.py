"""Mode ``index``: each process has one of the server's databases, flushed after each test."""

from __future__ import annotations

import os
import re

from podjig.errors import IsolationError
from podjig.isolation.protocol import Leftover
from podjig.isolation.redis.claim import Claim
from podjig.isolation.redis.database import RedisDatabase
from podjig.isolation.redis.server import RedisServer


class IndexDatabases:
    """Databases by their index. A test costs a round trip, or two if it wrote.

    What it guarantees: the database's keys are gone, and a connection to it that a test left open is ended soon, and
    told of. Settings of the whole server, users and function libraries are put back where no other process uses it;
    else they are told of. Not given back are keys in other databases that a test selects, and scripts; ``FLUSHALL`` and
    published messages reach all who use the server.

    The server's own URL leads to none of these databases (nor those of its workers' parts): what is there stays. Of a
    server that podjig did not start only empty ones are used: the others are somebody's.
    """

    def __init__(self, server: RedisServer, *, worker: str = "", workers: int = 1) -> None:
        """Remember what to give out.

        Args:
            server: The server.
            worker: This process's name among those that share the server; by its number it prefers an index.
            workers: How many they are.
        """
        self._server = server
        self._number = int(re.sub(r"\D", "", worker) or 0)
        self._workers = workers
        self._free: list[Claim] = []
        self._given: dict[int, tuple[Claim, RedisDatabase, str]] = {}
        self._inherited: list[object] = []
        self._leftovers: list[Leftover] = []
        self._owner = os.getpid()

    def acquire(self, requester: str = "") -> RedisDatabase:
        """Return an empty database; another one if this process's is given out already."""
        if os.getpid() != self._owner:
            self._begin()  # a forked child: what it inherited is its parent's
        claim = self._free.pop() if self._free else Claim(self._server, number=self._number, workers=self._workers)
        state = RedisDatabase(self._server, claim.index, pool=claim.pool)
        self._given[id(state)] = claim, state, requester
        return state

    def release(self, state: RedisDatabase, *, keep: bool = False) -> None:
        """Flush a database. What is kept says so by a key of its own, and nobody flushes it."""
        if os.getpid() != self._owner or id(state) not in self._given:
            return
        claim, _, requester = self._given.pop(id(state))
        state.end()
        try:
            if keep:
                claim.keep(requester)
            else:
                self._leftovers += claim.clean(requester)
        except IsolationError as error:  # the test has ended the server, or our connection: begin anew
            self._leftovers.append(
                Leftover(requester=requester, what=f"a server that does not answer: {error.message}")
            )
            claim.close()
            return
        if not keep:
            self._free.append(claim)

    def leftovers(self) -> list[Leftover]:
        """Return the connections that tests left open, as far as it is known by now, since the last call."""
        found, self._leftovers = self._leftovers, []
        return found

    def close(self) -> None:
        """Flush what is still given out, and give the indexes up."""
        if os.getpid() != self._owner:
            return
        for _, state, _ in list(self._given.values()):
            self.release(state)
        while self._free:
            self._leftovers += self._free.pop().finish()

    def _begin(self) -> None:
        """Begin in this process. What a fork left us is kept unused: its sockets are our parent's."""
        self._owner = os.getpid()
        self._inherited += [self._free, self._given]
        self._free, self._given, self._leftovers = [], {}, []
