"""Clean Redis databases of one server, by whichever way: the entry for tests without pytest, and for the plugin."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from podjig.isolation.databases import Databases, check_workers
from podjig.isolation.redis.database import RedisDatabase
from podjig.isolation.redis.driver import redis
from podjig.isolation.redis.modes import check_mode as check_mode  # noqa: PLC0414  exported
from podjig.isolation.redis.server import RedisServer

if TYPE_CHECKING:
    from podjig.services.redis import RedisContainer


class RedisDatabases(Databases[RedisDatabase]):
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
        check_mode(mode)
        check_workers(workers)
        redis()
        self.server: RedisServer = RedisServer.of(server)
        module = import_module(f"podjig.isolation.redis.{mode}_databases")
        make = getattr(module, f"{mode.capitalize()}Databases")
        super().__init__(mode, make(self.server, worker=worker, workers=workers))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.mode} of {self.server.description}>"
