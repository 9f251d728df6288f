"""Where a container is found, for servers that tell their clients an address of theirs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from podjig.errors import PortError
from podjig.spec import Port


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where a container is found, known before its program starts.

    Attributes:
        host: The host under which tests reach its published ports.
        ports: Container port (``"9092/tcp"``) -> the host's port that publishes it.
        name: The name under which other members of its pod or networks find it: its first alias, its name, or the
            beginning of its id; ``"localhost"`` where it is alone.
    """

    host: str
    name: str
    ports: Mapping[str, int] = field(default_factory=dict)

    def outside(self, port: int | str) -> str:
        """Return ``host:port`` under which tests reach the container's ``port``.

        Raises:
            PortError: It is not published.
        """
        key = Port.parse(port).key
        if key not in self.ports:
            raise PortError(
                f"port {key} is to be advertised, but is not published",
                hint=f"add with_exposed_ports({port!r}) before it starts",
            )
        return f"{self.host}:{self.ports[key]}"

    def inside(self, port: int | str) -> str:
        """Return ``name:port`` under which other members reach the container's ``port``, published or not."""
        return f"{self.name}:{Port.parse(port).container}"


Render = Callable[[Addresses], bytes | str]
"""Makes a file's content of the addresses."""
