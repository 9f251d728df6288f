"""An index of a Redis server that one process has for itself.

It is claimed by the name of a connection, so it is free when its holder ends, however that happens, and no key of ours
is in anybody's way. Who claims gives its connection the name and looks in one MULTI who else has it: of two that do so
at once, the server runs one first, and that one sees nobody. So who sees somebody gives up, and a holder always stays.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from podjig.errors import IsolationError
from podjig.isolation.protocol import Leftover
from podjig.isolation.redis.clients import GRACE, Client, end, parse
from podjig.isolation.redis.driver import redis
from podjig.isolation.redis.server import Line, RedisServer
from podjig.isolation.redis.server_state import Guard
from podjig.services.redis_state import CLAIM

if TYPE_CHECKING:
    from redis import ConnectionPool

KEPT = "podjig:kept"
"""The key of a kept database that says so. Its value is who had it."""

_DATABASES = 16  # what the server has unless it is told otherwise, should it not tell
_MANY = 1000  # keys from which a flush in the background is quicker

_ROUNDS = 3
_PAUSE = 0.01  # seconds
"""Who gives an index up has its name for the length of a round trip: then nobody has it, though it looked taken."""


class Claim:
    """An index that nobody else uses, and the connections to it.

    Attributes:
        index: The index.
    """

    def __init__(self, server: RedisServer, *, number: int, workers: int) -> None:
        """Claim one.

        Args:
            server: The server.
            number: This process's among those that share the server: each prefers an index of its own.
            workers: How many they are.

        Raises:
            IsolationError: There is none to be had.
        """
        self._server = server
        self._name = f"podjig-{secrets.token_hex(4)}"
        self._pool: ConnectionPool | None = None
        self._line = Line(server, 0, self._name)
        self._idle: dict[int, tuple[float, str]] = {}  # connections seen after a test: since when, and whose
        try:
            (self._id,) = self._line.ask(("CLIENT", "ID"))
            self.index: int = self._claim(number, workers)
            self._guard = Guard(self._line, undoes=server.container is not None)
        except BaseException:
            self._line.close()
            raise

    def pool(self) -> ConnectionPool:
        """Return connections that outlive a test: making one takes longer than flushing a database."""
        if self._pool is None:
            self._pool = redis().ConnectionPool(**self._server.parameters(self.index), client_name=self._name)
        assert self._pool is not None
        return self._pool

    def clean(self, requester: str) -> list[Leftover]:
        """Flush the database, put the whole server's settings back; return what is known by now to have been left.

        A moment decides whether a connection is being closed or was left open, and no test waits for that: a later
        call ends it and tells. But one that is blocked would take what the next test writes, so it is ended first.

        Args:
            requester: Whose test it was.

        Raises:
            IsolationError: The server does not answer.
        """
        text, size, *counts = self._line.ask(("CLIENT", "LIST"), ("DBSIZE",), *self._guard.commands)
        self._flush(size)
        found = parse(text)
        if any(client.name == self._name and self._is_left(client) for client in found):
            self._drop_pool()  # a subscription, a transaction: the connection is not as it was
        blocked = end(self._line, found, lambda client: client.is_blocked and self._is_left(client))
        if blocked:
            self._flush(_MANY)  # what they wrote since
        others = any(client.name.startswith(CLAIM) and client.id != self._id for client in found)
        told = [*map(str, blocked), *self._guard.check(counts, others=others)]
        return [Leftover(requester=requester, what=what) for what in told] + self._ended_late(found, requester)

    def keep(self, requester: str) -> None:
        """Give it up, but have nobody use the database until this key of its is gone.

        Raises:
            IsolationError: The server does not answer.
        """
        self._line.ask(("SET", KEPT, requester or "podjig"))
        self.close()

    def finish(self) -> list[Leftover]:
        """Give it up; return what was left open."""
        told: list[Leftover] = []
        try:
            if self._idle:
                youngest = max(since for since, _ in self._idle.values())
                time.sleep(max(0.0, youngest + GRACE - time.monotonic()))
                (text,) = self._line.ask(("CLIENT", "LIST"))
                told = self._ended_late(parse(text), "")
        except IsolationError:  # the server is gone, and all connections with it
            pass
        self.close()
        return told

    def close(self) -> None:
        """Give it up, whoever uses it."""
        self._drop_pool()
        self._line.close()

    def _ended_late(self, found: list[Client], requester: str) -> list[Leftover]:
        """End connections that have been open for longer than closing takes."""
        now = time.monotonic()
        left = {client.id: client for client in found if self._is_left(client) and not client.is_blocked}
        self._idle = {number: self._idle.get(number, (now, requester)) for number in left}
        told = []
        for number, (since, whose) in list(self._idle.items()):
            if now - since >= GRACE:
                self._line.ask(("CLIENT", "KILL", "ID", number))
                del self._idle[number]
                told.append(Leftover(requester=whose, what=str(left[number])))
        return told

    def _is_left(self, client: Client) -> bool:
        if client.name.startswith(CLAIM):
            return False
        if client.name == self._name:
            return client.busy or client.index != self.index
        return client.index == self.index

    def _drop_pool(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.disconnect()

    def _claim(self, number: int, workers: int) -> int:
        count = self._count()
        free = self._server.free_indexes(count, workers)
        taken = count - len(free)
        if workers > len(free):
            raise IsolationError(
                f"{self._server.description} has {count} databases, of which {taken} are for who connects by its own"
                f" URL, and {workers} {'processes want' if workers > 1 else 'process wants'} one each",
                hint=f"start it with with_server_settings(databases={max(2 * workers, 64)}), or use mode='prefix'",
            )
        first = number % len(free)
        used: dict[int, str] = {}
        for attempt in range(_ROUNDS):
            time.sleep(_PAUSE if attempt else 0)
            for index in free[first:] + free[:first]:
                why = self._try(index)
                if not why:
                    return index
                used[index] = why
        raise IsolationError(
            f"{self._server.description} has no database left of its {count}: "
            + ", ".join(f"{index} {why}" for index, why in sorted(used.items())),
            hint="start it with with_server_settings(databases=64), flush what nobody needs, or use mode='prefix'",
        )

    def _try(self, index: int) -> str:
        """Claim an index; return nothing, or why it cannot be had."""
        name = f"{CLAIM}{index}"
        line = self._line
        (text,) = line.ask(("CLIENT", "LIST"))
        if any(client.name == name for client in parse(text)):
            return "is in use"
        *_, (_, text) = line.ask(("MULTI",), ("CLIENT", "SETNAME", name), ("CLIENT", "LIST"), ("EXEC",))
        why = "is in use" if any(client.name == name and client.id != self._id for client in parse(text)) else ""
        if not why:
            _, size, kept = line.ask(("SELECT", index), ("DBSIZE",), ("EXISTS", KEPT))
            if size and self._server.container is None:
                why = f"holds {size} keys"
            elif kept:
                why = "is kept"
            else:
                self._flush(size)
        if why:
            line.ask(("CLIENT", "SETNAME", self._name))
        return why

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
