"""A server of this machine, reached from inside a container.

A socket listens inside the container's network namespace, on a loopback address, and is served by this process: so
the server need not listen on more than its own loopback address, no other container reaches it, and it works in every
network mode, without one too.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping

from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing, PortInUse
from podjig.network.namespaces import first_process, run_inside, shares_our_network

HOST_INSIDE = "127.0.0.254"
"""The address inside containers that stands for this machine. Not 127.0.0.1: that is the container itself."""

HOST_NAMES = ("host.containers.internal", "host.docker.internal")
"""The names of that address: Podman's, and Docker's."""

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


def open_relays(engine: Engine, id: str, ports: Mapping[int, int]) -> tuple[Relay, ...]:
    """Return a relay for each port inside a container -> port of this machine.

    Raises:
        PortInUse: Something inside listens on one of the ports.
        CapabilityMissing: The container's network cannot be entered from here.
    """
    pid = first_process(engine, id, what="expose ports of this machine to the container")
    if shares_our_network(pid):
        return ()  # it has this machine's own loopback
    relays: list[Relay] = []
    try:
        for inside, port in ports.items():
            relays.append(Relay(pid, port, inside=inside))
    except BaseException:
        for relay in relays:
            relay.close()
        raise
    return tuple(relays)


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
                    hint=f"choose another for the inside: expose_host_port({port}, inside={port + 10000 & 0xFFFF})",
                ) from None
            raise
        except subprocess.TimeoutExpired:
            raise CapabilityMissing(f"cannot {what}: entering its network took too long") from None
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
    return socket.socket(fileno=fds[0])
