"""Redis, and servers that speak its protocol."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from podjig.container import GenericContainer
from podjig.errors import DefinitionError, PodjigError
from podjig.services import redis_state
from podjig.services.redis_wire import RedisWire
from podjig.services.server_command import with_defaults
from podjig.spec import ContainerSpec, Port
from podjig.wait.conversation import ConversationWaitStrategy
from podjig.wait.strategy import WaitStrategy

if TYPE_CHECKING:
    import redis
    from typing_extensions import Self

SCHEMES = ("redis", "valkey")
"""Schemes that a URL may have; clients read both alike."""

TEST_PROFILE = {"save": "", "appendonly": "no", "databases": "64"}
"""Server settings for data that need not survive the server, and enough databases for many workers and their tests."""


class RedisContainer(GenericContainer):
    """A Redis server, by the contract of the ``redis`` image (also of Valkey).

    Ready means that it answered ``PING`` on its published port, with its data loaded.

    By default it runs for tests: data on tmpfs, no snapshots. ``durable=True`` runs it as the image would.

    Args:
        image: The image's name.
        port: The port it listens on inside.
        password: The password of its default user; ``None`` for none.
        durable: Keep data on a volume, with the image's own settings.
        kwargs: As for :class:`GenericContainer`.

    Raises:
        DefinitionError: The password is empty.
    """

    can_partition = True
    can_reset = True

    def __init__(
        self,
        image: str = "redis:latest",
        port: int = 6379,
        password: str | None = None,
        *,
        durable: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(image, **kwargs)
        if password is not None and (not isinstance(password, str) or not password):
            raise DefinitionError(f"Redis's password is {password!r}", hint="leave it out for none")
        self.port: int = Port.parse(port).container
        self.password: str | None = password
        self.durable: bool = durable
        self._settings: dict[str, str] = {}
        self._service_ports = (Port(container=self.port),)

    def with_port(self, port: int) -> Self:
        """Listen on another port inside, where others share its network; :meth:`get_connection_url` knows it.

        Raises:
            PortError: It is no port.
        """
        self.port = Port.parse(port).container
        self._service_ports = (Port(container=self.port),)
        return self

    def with_server_settings(self, **settings: str | int | float) -> Self:
        """Set server parameters, like ``maxmemory="64mb"`` (``_`` stands for ``-``); they win over the test profile."""
        self._settings.update({name.replace("_", "-"): str(value) for name, value in settings.items()})
        return self

    def get_connection_url(self, host: str | None = None, driver: str = "redis", *, db: int | None = None) -> str:
        """Return the URL for a client: ``redis://[:password@]localhost:32789/0``.

        Args:
            host: Instead of the host under which tests reach it.
            driver: The URL's scheme.
            db: The database's index; where ``None``, 0, and after :meth:`partition` the worker's.

        Raises:
            NotStartedError: It is not started.
            DefinitionError: The scheme is unknown.
        """
        if driver not in SCHEMES:
            raise DefinitionError(f"unsupported driver {driver!r} for a Redis URL", hint=f"use {', '.join(SCHEMES)}")
        login = f":{quote(self.password, safe='')}@" if self.password else ""
        index = self._index if db is None else db
        return f"{driver}://{login}{host or self.get_container_host_ip()}:{self.get_exposed_port(self.port)}/{index}"

    def get_client(self, **kwargs: Any) -> redis.Redis:
        """Return a client of the ``redis`` package, connected to this server; close it when done.

        Args:
            kwargs: For ``redis.Redis``, like ``decode_responses=True``.

        Raises:
            PodjigError: The package is not installed.
        """
        try:
            from redis import Redis
        except ImportError:
            raise PodjigError("the package 'redis' is not installed", hint="pip install 'podjig[redis]'") from None
        mine = {"host": self.get_container_host_ip(), "port": self.get_exposed_port(self.port)}
        return Redis(**{**mine, "password": self.password, "db": self._index, **kwargs})

    def partition(self, worker: str) -> Self:
        with self._wire() as wire:
            self._part = str(redis_state.index_of(wire, worker))
        return self

    def remember(self) -> str:
        with self._wire() as wire:
            return redis_state.remember(wire)

    def reset(self, remembered: str) -> str:
        with self._wire() as wire:
            return redis_state.reset(wire, remembered)

    @property
    def _index(self) -> int:
        return int(self._part or 0)

    def _wire(self) -> RedisWire:
        return RedisWire((self.get_container_host_ip(), self.get_exposed_port(self.port)), password=self.password)

    def wait_strategy(self) -> WaitStrategy:
        return self._strategy or ConversationWaitStrategy(self.port, "Redis's protocol", self._ask)

    def spec(self) -> ContainerSpec:
        spec = super().spec()
        settings = self._settings if self.durable else TEST_PROFILE | self._settings
        if self.password:
            settings = {**settings, "requirepass": self.password}
        if self.port != 6379:
            settings = {**settings, "port": str(self.port)}
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        return replace(
            spec,
            command=with_defaults(spec.command, "redis-server", options),
            image_volumes="anonymous" if self.durable else "tmpfs",
        )

    def _ask(self, connection: socket.socket) -> str | None:
        """Authenticate and ping. Source: the Redis serialization protocol specification (RESP)."""
        commands: list[tuple[str, ...]] = [("AUTH", self.password)] if self.password else []
        commands.append(("PING",))
        for command in commands:
            words = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in command)
            connection.sendall(f"*{len(command)}\r\n{words}".encode())
            answer = connection.recv(1024).decode("utf-8", "replace").strip()
            if not answer or answer.startswith("-LOADING"):
                return f"it said: {answer or 'nothing, and closed the connection'}"
            # Any other refusal (a password that only the user's own settings know) comes from a server that is ready.
        return None
