"""What a wait strategy may ask of the container it waits for."""

from __future__ import annotations

from typing import Protocol

from podjig.engine.protocol import Engine


class WaitTarget(Protocol):
    """A started container, as wait strategies see it."""

    @property
    def engine(self) -> Engine:
        """The engine that runs it."""

    @property
    def id(self) -> str:
        """Its full id."""

    @property
    def description(self) -> str:
        """Its name and image, for messages."""

    def get_container_host_ip(self) -> str:
        """Return the host under which its published ports are reached."""

    def get_exposed_port(self, port: int | str) -> int:
        """Return the host's port that publishes ``port``."""
