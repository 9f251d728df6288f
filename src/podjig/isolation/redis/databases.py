"""Clean Redis databases of one server, by whichever way: the entry for tests without pytest, and for the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING

from podjig.errors import DefinitionError
from podjig.isolation.protocol import Isolation, Leftover
from podjig.isolation.redis.database import RedisDatabase
from podjig.isolation.redis.driver import redis
from podjig.isolation.redis.modes import check_mode as check_mode  # noqa: PLC0414  exported
from podjig.isolation.redis.server import RedisServer

if TYPE_CHECKING:
    from typing_extensions import Self

    from podjig.services.redis import RedisContainer


class RedisDatabases:
    """Gives out clean databases of one Redis server.

        with RedisDatabases(cache) as databases:
            with databases.database() as database:
                database.client.set("key", "value")

    Attributes:
        server: The server.
        mode: The way.
    """

    def __init__(
        self,
        server: RedisContainer | RedisServer | str,
        *,
        mode: str = "index",
        worker: str = "",
        workers: int = 1,
    ) -> None:
        """Check everything that can be checked before the first use.

        Args:
            server: A started container, or the URL of a server.
            mode: ``"index"``, ``"prefix"`` or ``"server"``.
            worker: This process's name among those that share the server, like pytest-xdist's ``gw0``.
            workers: How many they are.

        Raises:
            DefinitionError: A value is wrong; the message names it.
            NotStartedError: The container is not started.
            PodjigError: The package ``redis`` is not installed.
        """
        self.mode = check_mode(mode)
        if not isinstance(workers, int) or workers < 1:
            raise DefinitionError(f"workers is {workers!r}", hint="give how many processes share the server")
        redis()
        self.server = RedisServer.of(server)
        module = import_module(f"podjig.isolation.redis.{mode}_databases")
        make = getattr(module, f"{mode.capitalize()}Databases")
        self._ways: Isolation[RedisDatabase] = make(self.server, worker=worker, workers=workers)

    def acquire(self, requester: str = "") -> RedisDatabase:
        """Return a clean database, nobody else's until it is released.

        Args:
            requester: Who asks, for messages: a pytest node id.

        Raises:
            IsolationError: There is none to be had.
        """
        return self._ways.acquire(requester)

    def release(self, state: RedisDatabase, *, keep: bool = False) -> None:
        """Take a database back, whatever was done to it.

        Args:
            state: What :meth:`acquire` returned.
            keep: Leave it as it is, to be looked at.
        """
        self._ways.release(state, keep=keep)

    def leftovers(self) -> list[Leftover]:
        """Return what was found left behind since the last call."""
        return self._ways.leftovers()

    def close(self) -> None:
        """Clean what was given out but what is kept. Safe to call twice."""
        self._ways.close()

    @contextmanager
    def database(self, requester: str = "") -> Iterator[RedisDatabase]:
        """Give a clean database for the length of the block."""
        state = self.acquire(requester)
        try:
            yield state
        finally:
            self.release(state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.mode} of {self.server.description}>"
