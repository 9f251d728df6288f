"""Wait for a listener on a port inside the container."""

from __future__ import annotations

from pathlib import Path

from podjig.errors import PortError
from podjig.spec import Port
from podjig.wait.process import is_process_of
from podjig.wait.strategy import WaitStrategy
from podjig.wait.target import WaitTarget

_LISTEN = "0A"
"""TCP_LISTEN in the column ``st`` of /proc/net/tcp (proc(5))."""


class PortWaitStrategy(WaitStrategy):
    """Wait until a server listens on a TCP port *inside* the container.

    A published port accepts connections as soon as the container starts, long before the server inside does:
    so the container's own table of sockets is read.

    Args:
        port: The container's port.

    Raises:
        PortError: The port is out of range, or not of TCP.
    """

    def __init__(self, port: int | str) -> None:
        self._port = Port.parse(port)
        if self._port.protocol != "tcp":
            raise PortError(
                f"port {self._port} cannot be waited for: only a TCP port has a listener",
                hint="wait for a line in the log, or for a function that asks the server",
            )

    def check(self, target: WaitTarget) -> str | None:
        if self._port.container in _listening_ports(target):
            return None
        return "no server listens on it"

    def describe(self) -> str:
        return f"a server to listen on port {self._port.container} inside"


def _listening_ports(target: WaitTarget) -> set[int]:
    state = target.engine.inspect_container(target.id).state
    if target.engine.info.local and is_process_of(state.pid, target.id):
        folder = Path(f"/proc/{state.pid}/net")
        return parse_socket_table("".join((folder / name).read_text() for name in _tables(folder)))
    result = target.engine.exec(target.id, ["cat", "/proc/net/tcp", "/proc/net/tcp6"], timeout=10)
    return parse_socket_table(result.stdout.decode("ascii", "replace"))


def _tables(folder: Path) -> list[str]:
    return [name for name in ("tcp", "tcp6") if (folder / name).exists()]


def parse_socket_table(text: str) -> set[int]:
    """Return the ports with a listener in the text of ``/proc/net/tcp`` or ``tcp6``."""
    ports = set()
    for line in text.splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            ports.add(int(fields[1].rpartition(":")[2], 16))
    return ports
