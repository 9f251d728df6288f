"""Wait until a server answers its own protocol, from where the test will connect."""

from __future__ import annotations

import socket
from collections.abc import Callable

from podjig.spec import Port
from podjig.wait.deadline import at_most
from podjig.wait.strategy import WaitStrategy
from podjig.wait.target import WaitTarget

_PATIENCE = 2.0
"""Seconds for one conversation: a server that accepts and then hangs in its start is asked again."""


class ConversationWaitStrategy(WaitStrategy):
    """Connect to a published port and talk, as the first lines of a real client would.

    This is the proof of readiness that services use: a published port accepts connections, and a listener listens,
    before the server behind answers.

    Args:
        port: The container's port.
        protocol: The protocol's name, for messages.
        ask: Gets the connected socket; returns ``None`` when the server is ready, else what it said instead.
            An :class:`OSError` (refused, reset, timed out, end of stream) means "not yet".
    """

    def __init__(self, port: int | str, protocol: str, ask: Callable[[socket.socket], str | None]) -> None:
        self._port = Port.parse(port)
        self._protocol = protocol
        self._ask = ask

    def check(self, target: WaitTarget) -> str | None:
        address = (target.get_container_host_ip(), target.get_exposed_port(self._port.key))
        with socket.create_connection(address, timeout=at_most(_PATIENCE)) as connection:
            return self._ask(connection)

    def describe(self) -> str:
        return f"an answer in {self._protocol} on port {self._port.container}"


def receive(connection: socket.socket, size: int) -> bytes:
    """Return exactly ``size`` bytes.

    Raises:
        ConnectionError: The server closed the connection before.
    """
    data = b""
    while len(data) < size:
        chunk = connection.recv(size - len(data))
        if not chunk:
            raise ConnectionError("the server closed the connection before it answered")
        data += chunk
    return data
