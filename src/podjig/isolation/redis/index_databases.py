"""Mode ``index``: each process has one of the server's databases, flushed after each test."""

from __future__ import annotations

import os
import re
import secrets
from typing import TYPE_CHECKING

from podjig.errors import IsolationError
from podjig.isolation.protocol import Leftover
from podjig.isolation.redis.clients import Client, end, parse
from podjig.isolation.redis.database import RedisDatabase
from podjig.isolation.redis.driver import redis
from podjig.isolation.redis.server import Line, RedisServer

if TYPE_CHECKING:
    from redis import ConnectionPool

KEPT = "podjig:kept"
"""The key of a kept database that says so. Its value is who had it."""

_CLAIM = "podjig-index-"
_DATABASES = 16  # what the server has unless it is told otherwise, should it not tell
_MANY = 1000  # keys from which a flush in the background is quicker


class IndexDatabases:
    """Databases by their index. A test costs a round trip, or two if it wrote.

    What it guarantees: the database's keys, with their scripts' effects, are gone, and no connection to it is left:
    one that a test left open is ended and told of. What is the whole server's is not given back: other databases that
    a test selects, settings (``CONFIG SET``), users, functions and scripts, pending messages to subscribers elsewhere.

    An index is claimed by the name of a connection, so it is free when its holder ends, however that happens. Of a
    server that podjig did not start only empty databases are used: the others are somebody's.
    """

    def __init__(self, server: RedisServer, *, worker: str = "", workers: int = 1) -> None:
        """Remember what to give out.

        Args:
            server: The server.
            worker: This process's name among those that share the server: ``gw3`` prefers index 3.
            workers: How many they are.
        """
        self._server = server
        self._preferred = int(re.sub(r"\D", "", worker) or 0)
        self._workers = workers
        self._free: list[_Claim] = []
        self._given: dict[int, tuple[_Claim, RedisDatabase, str]] = {}
        self._inherited: list[object] = []
        self._leftovers: list[Leftover] = []
        self._owner = os.getpid()

    def acquire(self, requester: str = "") -> RedisDatabase:
        """Return an empty database; another one if this process's is given out already."""
        if os.getpid() != self._owner:
            self._begin()  # a forked child: what it inherited is its parent's
        claim = self._free.pop() if self._free else _Claim(self._server, self._preferred, self._workers)
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
            left = claim.keep(requester) if keep else claim.clean()
        except IsolationError as error:  # the test has ended the server, or our connection: begin anew
            self._leftovers.append(
                Leftover(requester=requester, what=f"a server that does not answer: {error.message}")
            )
            claim.close()
            return
        self._leftovers += [Leftover(requester=requester, what=str(client)) for client in left]
        if keep:
            claim.close()
        else:
            self._free.append(claim)

    def leftovers(self) -> list[Leftover]:
        """Return the connections that tests left open since the last call."""
        found, self._leftovers = self._leftovers, []
        return found

    def close(self) -> None:
        """Flush what is still given out, and give the indexes up."""
        if os.getpid() != self._owner:
            return
        for _, state, _ in list(self._given.values()):
            self.release(state)
        while self._free:
            self._free.pop().close()

    def _begin(self) -> None:
        """Begin in this process. What a fork left us is kept unused: its sockets are our parent's."""
        self._owner = os.getpid()
        self._inherited += [self._free, self._given]
        self._free, self._given, self._leftovers = [], {}, []


class _Claim:
    """An index that nobody else uses, and the connections to it."""

    def __init__(self, server: RedisServer, preferred: int, workers: int) -> None:
        self._server = server
        self._token = secrets.token_hex(4)
        self._name = f"podjig-{self._token}"
        self._pool: ConnectionPool | None = None
        self._line = Line(server, 0, self._name)
        try:
            self.index = self._claim(preferred, workers)
        except BaseException:
            self._line.close()
            raise

    def pool(self) -> ConnectionPool:
        """Return connections that outlive a test: making one takes longer than flushing a database."""
        if self._pool is None:
            self._pool = redis().ConnectionPool(**self._server.parameters(self.index), client_name=self._name)
        assert self._pool is not None
        return self._pool

    def clean(self) -> list[Client]:
        """End what others left open, flush; return who had to be ended."""
        text, size = self._line.ask(("CLIENT", "LIST"), ("DBSIZE",))
        self._flush(size)
        found = parse(text)
        if any(client.name == self._name and (client.busy or client.index != self.index) for client in found):
            self._drop_pool()  # a subscription, a transaction: the connection is not as it was
        if not any(self._is_left(client) for client in found):
            return []
        left = end(self._line, found, self._is_left)
        self._flush(_MANY)  # what they wrote since
        return left

    def keep(self, requester: str) -> list[Client]:
        """Have nobody use the database until this key of its is gone; return nobody who had to be ended."""
        self._line.ask(("SET", KEPT, requester or "podjig"))
        return []

    def close(self) -> None:
        """Give it up."""
        self._drop_pool()
        self._line.close()

    def _is_left(self, client: Client) -> bool:
        if client.name.startswith(_CLAIM):
            return False
        if client.name == self._name:
            return client.busy or client.index != self.index
        return client.index == self.index

    def _drop_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.disconnect()

    def _claim(self, preferred: int, workers: int) -> int:
        count = self._count()
        if workers > count:
            raise IsolationError(
                f"{self._server.description} has {count} databases, and {workers} processes want one each",
                hint=f"start it with with_server_settings(databases={max(workers, 64)}), or use mode='prefix'",
            )
        used: list[str] = []
        for place in range(count):
            index = (preferred + place) % count
            why = self._try(index)
            if not why:
                return index
            used.append(f"{index} {why}")
        raise IsolationError(
            f"{self._server.description} has no database left of its {count}: {', '.join(used)}",
            hint="start it with with_server_settings(databases=64), flush what nobody needs, or use mode='prefix'",
        )

    def _try(self, index: int) -> str:
        """Claim an index; return nothing, or why it cannot be had."""
        name = f"{_CLAIM}{index}"
        line = self._line
        (text,) = line.ask(("CLIENT", "LIST"))
        if any(client.name == name for client in parse(text)):
            return "is in use"
        me, _, text = line.ask(("CLIENT", "ID"), ("CLIENT", "SETNAME", name), ("CLIENT", "LIST"))
        if any(client.name == name and client.id < me for client in parse(text)):
            return "is in use"  # two have claimed it at once, and the elder has it
        _, size = line.ask(("SELECT", index), ("DBSIZE",))
        if size:
            if self._server.container is None:
                return f"holds {size} keys"
            (kept,) = line.ask(("EXISTS", KEPT))
            if kept:
                return "is kept"
            self._flush(size)
        return ""

    def _flush(self, size: int) -> None:
        """Remove the database's keys; many of them in the background: they are out of sight at once."""
        if size:
            self._line.ask(("FLUSHDB", "ASYNC") if size >= _MANY else ("FLUSHDB",))

    def _count(self) -> int:
        try:
            ((_, count),) = self._line.ask(("CONFIG", "GET", "databases"))
        except (IsolationError, ValueError):  # a managed server keeps its settings to itself
            return _DATABASES
        return int(count)
