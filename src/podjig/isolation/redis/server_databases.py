"""Mode ``server``: each test has a whole server, started for it."""

from __future__ import annotations

import os
from dataclasses import replace

from podjig.errors import DefinitionError
from podjig.isolation.protocol import Leftover, StateAccess
from podjig.isolation.redis.database import RedisDatabase
from podjig.isolation.redis.server import RedisServer
from podjig.services.redis import RedisContainer


class ServerDatabases:
    """Servers like a given one. What it guarantees: everything. A test costs a container's start."""

    def __init__(
        self,
        server: RedisServer,
        *,
        worker: str = "",  # noqa: ARG002  every way takes the same
        workers: int = 1,  # noqa: ARG002
    ) -> None:
        """Remember what to start.

        Args:
            server: The server, by its container.
            worker: This process's name among those that share the server.
            workers: How many they are.

        Raises:
            DefinitionError: The server is no container of podjig's.
        """
        if server.container is None:
            raise DefinitionError(
                f"{server.description} cannot be started again for each test: it is no container of podjig's",
                hint="give a RedisContainer, or use mode='index'",
            )
        self._model = server.container
        self._owner = os.getpid()
        self._given: dict[int, RedisContainer] = {}

    def acquire(self, requester: str = "") -> RedisDatabase:  # noqa: ARG002  as of every way
        """Return the first database of a server started just now."""
        if os.getpid() != self._owner:
            self._owner, self._given = os.getpid(), {}
        container = self._model.clone()
        container.start()
        state = _OfItsOwnServer(RedisServer.of(container), 0)
        self._given[id(state)] = container
        return state

    def release(self, state: RedisDatabase, *, keep: bool = False) -> None:
        """Stop a server."""
        if os.getpid() != self._owner or id(state) not in self._given:
            return
        container = self._given.pop(id(state))
        state.end()
        if keep:
            container.keep()
        else:
            container.stop()

    def leftovers(self) -> list[Leftover]:
        """Return nothing: whatever a test left has gone with its server."""
        return []

    def close(self) -> None:
        """Stop the servers that are still given out."""
        if os.getpid() != self._owner:
            return
        while self._given:
            _, container = self._given.popitem()
            container.stop()


class _OfItsOwnServer(RedisDatabase):
    """A database whose server goes with it."""

    def access(self) -> StateAccess:
        """Return the commands by which people open it, and remove its server, where it is kept."""
        container = self.server.container
        assert container is not None
        return replace(super().access(), removes=f"podjig clean {container.inspect().name}")
