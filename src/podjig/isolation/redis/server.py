"""The Redis server whose databases are given out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from podjig.errors import DefinitionError, IsolationError
from podjig.isolation.masking import shown
from podjig.isolation.redis.driver import redis
from podjig.services.redis import SCHEMES, RedisContainer


@dataclass(frozen=True, kw_only=True)
class RedisServer:
    """A Redis server, and how to log in to it.

    Attributes:
        host: The host under which tests reach it.
        port: The port there.
        username: Who to log in as; empty for the default user.
        password: That user's password; empty for none.
        own: The database to which its own URL leads, if that names one: not to be given to tests.
        container: Its container, if we know it: then all that it holds is tests'.
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    own: int | None = None
    container: RedisContainer | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, server: RedisContainer | RedisServer | str) -> RedisServer:
        """Return the server behind a started container, or behind a URL (``redis://:password@host:port``).

        Raises:
            DefinitionError: ``server`` is none of these.
            NotStartedError: The container is not started.
        """
        if isinstance(server, RedisServer):
            return server
        if isinstance(server, RedisContainer):
            return cls(
                host=server.get_container_host_ip(),
                port=server.get_exposed_port(server.port),
                password=server.password or "",
                own=_index_of(server.get_connection_url()),
                container=server,
            )
        if isinstance(server, str) and server.partition("://")[0] in SCHEMES:
            return cls._of_url(server)
        raise DefinitionError(
            f"{shown(server)} is no Redis server",
            hint="give a started RedisContainer, or a URL like 'redis://:password@localhost:6379'",
        )

    @classmethod
    def _of_url(cls, url: str) -> RedisServer:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "localhost", parts.port or 6379
        except ValueError as error:
            raise DefinitionError(
                f"the URL {shown(url)} of a Redis server cannot be read: {error}",
                hint="percent-encode special characters of the user and password",
            ) from None
        return cls(
            host=host,
            port=port,
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            own=_index_of(url),
        )

    def free_indexes(self, count: int, workers: int) -> list[int]:
        """Return the databases that tests may have, the best first.

        Args:
            count: How many the server has.
            workers: Processes that share it. Each may have a part of the container: the index of its number. More
                numbers come up where a worker is replaced, so of a container the last databases are the best.
        """
        if self.container is None:
            return [index for index in range(count) if index != self.own]
        parts = {self.own, *range(workers if workers > 1 else 0)}
        return [index for index in reversed(range(count)) if index not in parts]

    def url(self, index: int = 0) -> str:
        """Return the URL of one of its databases."""
        login = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@" if self.password else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis://{login}{host}:{self.port}/{index}"

    def parameters(self, index: int = 0) -> dict[str, Any]:
        """Return what ``redis.Redis`` takes to reach one of its databases."""
        parameters: dict[str, Any] = {"host": self.host, "port": self.port, "db": index}
        if self.username:
            parameters["username"] = self.username
        if self.password:
            parameters["password"] = self.password
        return parameters

    @property
    def description(self) -> str:
        """Which server it is, for messages."""
        return f"Redis at {self.host}:{self.port}"


def _index_of(url: str) -> int | None:
    """Return the database that a URL names."""
    path = urlsplit(url).path.strip("/")
    return int(path) if path.isdecimal() else None


class Line:
    """One connection for podjig's own use: several commands in one round trip, without a client's layers.

    Args:
        server: The server.
        index: The database to begin with.
        name: The connection's name, by which others see what it is for.
    """

    def __init__(self, server: RedisServer, index: int, name: str) -> None:
        self._library = redis()
        self._server = server
        self._connection: Any = self._library.Connection(
            **server.parameters(index), client_name=name, protocol=2, decode_responses=True, encoding_errors="replace"
        )

    def ask(self, *commands: Sequence[str | int]) -> list[Any]:
        """Send commands and return their answers.

        Raises:
            IsolationError: The server cannot be reached, or refuses one.
        """
        try:
            self._connection.send_packed_command(self._connection.pack_commands(commands))
            answers: list[Any] = []
            refused: Exception | None = None
            for _ in commands:
                try:
                    answers.append(self._connection.read_response())
                except self._library.ResponseError as error:
                    refused = refused or error
            if refused is not None:
                raise refused
        except self._library.RedisError as error:
            raise IsolationError(
                f"{self._server.description} does not answer {commands[0][0]}: {error}",
                hint="see the server's log",
            ) from error
        return answers

    def close(self) -> None:
        """Close it."""
        self._connection.disconnect()
