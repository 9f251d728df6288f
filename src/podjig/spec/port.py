"""Ports: what a container listens on, and where the host publishes it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Literal, cast

from podjig.errors import PortError

Protocol = Literal["tcp", "udp"]

LOOPBACK = "127.0.0.1"
"""Where ports are published unless the user says otherwise: nothing beyond this machine sees them."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """One published port.

    Attributes:
        container: The port inside the container, 1 to 65535.
        protocol: ``"tcp"`` or ``"udp"``.
        host: The port on the host; ``None`` lets the engine choose a free one.
        host_ip: The host's address to bind; the engine would take *all* addresses were it left out.
    """

    container: int
    protocol: Protocol = "tcp"
    host: int | None = None
    host_ip: str = LOOPBACK

    def __post_init__(self) -> None:
        _check_number(self.container, "container port")
        if self.host is not None:
            _check_number(self.host, "host port")
        if self.protocol not in ("tcp", "udp"):
            raise PortError(f"unknown protocol {self.protocol!r} of port {self.container}", hint="use 'tcp' or 'udp'")
        try:
            ipaddress.ip_address(self.host_ip)
        except ValueError:
            raise PortError(
                f"{self.host_ip!r} is not an IP address to publish port {self.container} on",
                hint="use '127.0.0.1' (the default) or an address of this host",
            ) from None

    @classmethod
    def parse(cls, value: int | str, *, host: int | None = None, host_ip: str = LOOPBACK) -> Port:
        """Read a container port as users write it: ``5432``, ``"5432"``, ``"5353/udp"``.

        Raises:
            PortError: It is none of these.
        """
        number, slash, protocol = str(value).partition("/")
        if isinstance(value, bool) or not number.strip().isascii() or not number.strip().isdigit():
            raise PortError(f"{value!r} is not a port", hint="write 5432, '5432' or '5353/udp'")
        protocol = protocol.strip().lower() if slash else "tcp"
        return cls(container=int(number), protocol=cast("Protocol", protocol), host=host, host_ip=host_ip)

    @property
    def key(self) -> str:
        """``"5432/tcp"``: the form in which engines name a port."""
        return f"{self.container}/{self.protocol}"

    def __str__(self) -> str:
        return self.key


def _check_number(value: int, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise PortError(f"{what} {value!r} is out of range", hint="ports are whole numbers from 1 to 65535")
