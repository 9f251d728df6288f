"""What the verbs of the engine in memory share: state, the lock over it, and time."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from podjig.engine.memory.container import MemoryContainer
from podjig.engine.memory.images import ImageStore
from podjig.engine.memory.script import Behaviour, Script
from podjig.engine.memory.volumes import VolumeStore
from podjig.engine.values import Stream
from podjig.errors import ContainerExited, PodjigError, ResourceNotFound

if TYPE_CHECKING:
    from podjig.engine.memory.networks import MemoryNetwork

FIRST_PORT = 40000
FIRST_PID = 1000


class Core:
    """State of the engine, and what only tests do with it."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._containers: dict[str, MemoryContainer] = {}
        self._images = ImageStore()
        self._volumes = VolumeStore()
        self._networks: dict[str, MemoryNetwork] = {}
        self._refusals: dict[str, list[PodjigError]] = {}
        self._numbers = itertools.count(1)
        self._ports = itertools.count(FIRST_PORT)
        self._pids = itertools.count(FIRST_PID)

    def add_image(self, name: str, *, script: Behaviour | None = None, remote: bool = False, **fields: Any) -> str:
        """Put an image into the store and return its id.

        Args:
            name: Its full name.
            script: How its containers behave; a server that says nothing where ``None``.
            remote: Let a registry have it, from where it must be pulled.
            fields: What :class:`~podjig.engine.values.ImageInfo` has: ``exposed_ports``, ``volumes``, ``env``, ...
        """
        with self._changed:
            return self._images.add(name, script or Script(), remote=remote, **fields)

    def refuse(self, verb: str, error: PodjigError, *, times: int = 1) -> None:
        """Make the next calls of a verb, like ``"start_container"``, raise ``error``."""
        with self._changed:
            self._refusals.setdefault(verb, []).extend([error] * times)

    def write(self, id: str, data: bytes, *, stream: Stream = "stdout") -> None:
        """Let a running container write something."""
        with self._at("write"):
            self._running(id, "write").write(data, stream, time.time())

    def end(self, id: str, *, exit_code: int = 0) -> None:
        """Let a running container end."""
        with self._at("end"):
            self._running(id, "end").end(exit_code, time.time())

    @contextmanager
    def _at(self, verb: str) -> Iterator[None]:
        """Have the engine to oneself for one verb, at the present time."""
        with self._changed:
            if self._refusals.get(verb):
                raise self._refusals[verb].pop(0)
            for container in self._containers.values():
                container.advance(time.time())
            try:
                yield
            finally:
                self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _wait(self, done: Callable[[], bool], timeout: float, container: MemoryContainer) -> bool:
        """Let time go by until ``done()``; return whether it came to that within ``timeout`` seconds."""
        deadline = time.time() + timeout
        while True:
            now = time.time()
            container.advance(now)
            if done():
                return True
            if now >= deadline:
                return False
            self._changed.wait(min(deadline, container.next_event() or deadline) - now)

    def _lookup(self, id: str) -> MemoryContainer | None:
        if id in self._containers:
            return self._containers[id]
        return next((container for container in self._containers.values() if container.name == id), None)

    def _find(self, id: str) -> MemoryContainer:
        container = self._lookup(id)
        if container is None:
            raise ResourceNotFound(f"there is no container {id!r}")
        return container

    def _running(self, id: str, what: str) -> MemoryContainer:
        container = self._find(id)
        if container.status == "exited":
            raise ContainerExited(
                f"container {id!r} exited with code {container.exit_code}: cannot {what}",
                exit_code=container.exit_code,
            )
        if container.status != "running":
            raise ContainerExited(f"container {id!r} is {container.status}, not running: cannot {what}")
        return container
