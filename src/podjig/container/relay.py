"""A server of this machine, reached from inside a container.

A socket listens inside the container's network namespace, on a loopback address, and is served by this process: so
the server need not listen on more than its own loopback address, no other container reaches it, and it works in every
network mode, without one too.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Iterable, Mapping

from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing, PortInUse
from podjig.network.namespaces import first_process, run_inside, shares_our_network

HOST_INSIDE = "127.0.0.254"
"""The address inside containers that stands for this machine. Not 127.0.0.1: that is the container itself."""

HOST_NAMES = ("host.containers.internal", "host.docker.internal")
"""The names of that address: Podman's, and Docker's."""

_LAST_PORT = 65535
_CHUNK = 1 << 16
_CONNECT = 10.0  # seconds until a server of this machine must have taken a connection

# Runs inside the namespace: listens, and hands the socket to us.
_LISTENER = """
import array, errno, socket, sys
try:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((sys.argv[2], int(sys.argv[3])))
    listener.listen(128)
except OSError as error:
    sys.exit("port in use" if error.errno == errno.EADDRINUSE else str(error))
channel = socket.socket(fileno=int(sys.argv[1]))
channel.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener.fileno()]))])
"""


def another_port(port: int) -> int:
    """Return a port to use in place of one, for hints."""
    return port + 10000 if port + 10000 <= _LAST_PORT else port - 10000


class Relays:
    """The servers of this machine that are reached from inside one network.

    Args:
        ports: Port inside -> port of this machine.
    """

    def __init__(self, ports: Mapping[int, int]) -> None:
        self._ports = dict(ports)
        self._open: dict[int, Relay] = {}
        self._closed = False
        self._mutex = threading.Lock()

    @property
    def lacking(self) -> bool:
        """Whether some are still to be opened."""
        return self._ports.keys() != self._open.keys()

    def add(self, ports: Mapping[int, int]) -> list[int]:
        """Have further ones opened by the next :meth:`set_up`, and return their ports inside, without known ones."""
        with self._mutex:
            new = [inside for inside in ports if inside not in self._ports]
            self._ports.update(ports)
        return new

    def set_up(self, engine: Engine, id: str) -> None:
        """Open those that are not yet, in the network of a container.

        Raises:
            PortInUse: Something inside listens on one of the ports.
            CapabilityMissing: The container's network cannot be entered from here.
        """
        pid = first_process(engine, id, what="expose ports of this machine to the container")
        with self._mutex:
            if shares_our_network(pid):
                self._ports.clear()  # it has this machine's own loopback
            for inside, port in self._ports.items():
                if inside not in self._open and not self._closed:
                    self._open[inside] = Relay(pid, port, inside=inside)

    def take(self, inside: Iterable[int]) -> None:
        """End some, with all their connections."""
        with self._mutex:
            for port in inside:
                self._ports.pop(port, None)
                if port in self._open:
                    self._open.pop(port).close()

    def close(self) -> None:
        """End all, with all their connections, for good."""
        self._closed = True
        self.take(list(self._ports))


class Relay:
    """Serves a port inside a network namespace with a server of this machine, until :meth:`close`.

    Args:
        pid: A process in the namespace.
        port: The server's port on this machine.
        inside: The port inside.

    Raises:
        PortInUse: Something inside listens on that port.
        CapabilityMissing: The namespace cannot be entered from here.
    """

    def __init__(self, pid: int, port: int, *, inside: int) -> None:
        self._port = port
        self._open: set[socket.socket] = set()
        self._mutex = threading.Lock()
        self._listener = _listen(pid, inside)
        self._thread = threading.Thread(target=self._serve, name=f"podjig-host-port-{port}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, with all its connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes its thread
        self._thread.join()
        self._listener.close()
        with self._mutex:
            connections = list(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("localhost", self._port), timeout=_CONNECT)
        except OSError:
            client.close()  # nobody serves here: as if nobody did there
            return
        server.settimeout(None)
        with self._mutex:
            self._open |= {client, server}
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        _copy(client, server)
        back.join()
        with self._mutex:
            self._open -= {client, server}
        client.close()
        server.close()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the end of ``source``, and pass on that it ended."""
    try:
        while data := source.recv(_CHUNK):
            sink.sendall(data)
    except OSError:
        with contextlib.suppress(OSError):
            source.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _listen(pid: int, port: int) -> socket.socket:
    """Return a socket that listens inside the network namespace of a process."""
    what = f"expose a port of this machine as {HOST_INSIDE}:{port}"
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command = [sys.executable, "-I", "-S", "-c", _LISTENER, str(theirs.fileno()), HOST_INSIDE, str(port)]
        try:
            run_inside(pid, command, what=what, pass_fds=(theirs.fileno(),))
        except CapabilityMissing as error:
            if "port in use" in error.message:
                raise PortInUse(
                    f"cannot {what}: a program inside listens on that port",
                    hint=f"choose another for the inside: expose_host_port({port}, inside={another_port(port)})",
                ) from None
            raise
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    return socket.socket(fileno=fds[0])
