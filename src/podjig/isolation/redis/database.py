"""One clean Redis, given to one test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError
from podjig.isolation.redis.driver import redis
from podjig.isolation.redis.server import RedisServer

if TYPE_CHECKING:
    from redis import ConnectionPool, Redis
    from redis.asyncio import Redis as AsyncRedis

    from podjig.isolation.protocol import StateAccess


class RedisDatabase:
    """A clean Redis that is one test's own.

    Attributes:
        name: What it is, for people: ``"index 3"``.
        host: The server's host, as tests reach it.
        port: The server's port there.
        index: The database's index on the server.
        prefix: What the test's keys must begin with; empty where the whole database is its own.
        username: Who to log in as; empty for the default user.
        password: That user's password; empty for none.
    """

    def __init__(
        self, server: RedisServer, index: int, *, prefix: str = "", pool: Callable[[], ConnectionPool] | None = None
    ) -> None:
        """Describe a database.

        Args:
            server: Its server.
            index: Its index there.
            prefix: What the test's keys must begin with.
            pool: Gives connections to it that are kept from test to test.
        """
        self.server = server
        self.name: str = f"prefix {prefix!r}" if prefix else f"index {index}"
        self.host: str = server.host
        self.port: int = server.port
        self.index = index
        self.prefix = prefix
        self.username: str = server.username
        self.password: str = server.password
        self._pool = pool
        self._client: Redis | None = None
        self._over = False

    @property
    def url(self) -> str:
        """Its URL for any client: ``redis://localhost:32790/3``."""
        return self.server.url(self.index)

    @property
    def client(self) -> Redis:
        """A client of the ``redis`` package, which is closed for you.

        Raises:
            IsolationError: The test is over.
            PodjigError: The package is not installed.
        """
        self._check()
        if self._client is None:
            if self._pool is None:
                self._client = self.connect()
            else:
                self._client = redis().Redis(connection_pool=self._pool())
        return self._client

    def connect(self, **kwargs: Any) -> Redis:
        """Return another client, closed by you or by its ``with`` block.

        Args:
            kwargs: For ``redis.Redis``, like ``decode_responses=True``.
        """
        self._check()
        client: Redis = redis().Redis(**{**self.server.parameters(self.index), **kwargs})
        return client

    def aconnect(self, **kwargs: Any) -> AsyncRedis:
        """Return a client for ``asyncio``, closed by you (``aclose()``) or by its ``async with`` block.

        Args:
            kwargs: For ``redis.asyncio.Redis``, like ``decode_responses=True``.
        """
        self._check()
        redis()
        from redis.asyncio import Redis

        return Redis(**{**self.server.parameters(self.index), **kwargs})

    def key(self, name: str) -> str:
        """Return a key of the test's own: below :attr:`prefix`."""
        return f"{self.prefix}{name}"

    def access(self) -> StateAccess:
        """Return the commands by which people open it, and remove it, where it is kept."""
        from podjig.isolation.redis.access import access_to

        return access_to(self.server, self.index, self.prefix)

    def end(self) -> None:
        """Close its client and give nothing out any more."""
        self._over = True
        client, self._client = self._client, None
        if client is not None and self._pool is None:
            client.close()

    def _check(self) -> None:
        if self._over:
            raise IsolationError(
                f"{self.name} of {self.server.description} was given back",
                hint="use it inside the test, or in fixtures that end before it does",
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} of {self.server.description}>"
