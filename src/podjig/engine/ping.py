"""One ``GET /_ping`` over a raw socket: is an engine there, and which? Costs a millisecond and no heavy import."""

from __future__ import annotations

import errno
import os
import socket
import time
from pathlib import Path
from typing import NamedTuple

_REQUEST = b"GET /_ping HTTP/1.0\r\nHost: podjig\r\nConnection: close\r\n\r\n"
_MAX_ANSWER = 16384
_SOCKET_PATH_LIMIT = 107  # sizeof(sockaddr_un.sun_path) - 1


class Pong(NamedTuple):
    """An engine's answer to a ping.

    Attributes:
        server: Its ``Server`` header, like ``"Libpod/4.3.1 (linux)"``.
        libpod_version: Podman's version; empty where the engine is not Podman.
        api_version: Version of its Docker-compatible API, like ``"1.41"``.
    """

    server: str
    libpod_version: str
    api_version: str

    @property
    def is_podman(self) -> bool:
        """Whether Podman answered, be it on its Docker-compatible socket."""
        return bool(self.libpod_version)

    @property
    def name(self) -> str:
        """``"podman"`` or the product its ``Server`` header names."""
        return "podman" if self.is_podman else self.server.partition("/")[0].lower() or "docker"

    @property
    def version(self) -> str:
        """The engine's version; empty where it does not say."""
        return self.libpod_version or self.server.partition("/")[2].partition(" ")[0]


class PingFailed(Exception):
    """Nobody answered as an engine does; the message is the reason in a few words.

    Attributes:
        pending: Somebody listens and may yet answer: the deadline ended the wait.
    """

    def __init__(self, reason: str, *, pending: bool = False) -> None:
        super().__init__(reason)
        self.pending = pending


def ping(address: str, *, timeout: float = 2.0) -> Pong:
    """Ask the engine at ``address`` who it is.

    Args:
        address: ``unix:///path``, ``tcp://host:port`` or ``http://host:port``.
        timeout: Seconds for the whole exchange.

    Raises:
        PingFailed: Nobody answered as an engine does.
        ValueError: The address is of another kind.
    """
    deadline = time.monotonic() + timeout
    try:
        with dial(address, timeout=timeout) as connection:
            answer = _exchange(connection, deadline)
    except TimeoutError:
        raise PingFailed(f"no answer within {timeout:g} s", pending=True) from None
    except (ConnectionResetError, BrokenPipeError):
        raise PingFailed("connection dropped without an answer") from None
    except OSError as error:
        raise PingFailed(_reason(error)) from None
    return _read(answer)


def dial(address: str, *, timeout: float) -> socket.socket:
    """Connect to a ``unix://``, ``tcp://`` or ``http://`` address, sending nothing.

    Raises:
        OSError: As :meth:`socket.socket.connect` has it.
        ValueError: The address is of another kind.
    """
    scheme, separator, rest = address.partition("://")
    if separator and scheme in ("unix", "http+unix"):
        path = str(Path(rest).absolute())
        if len(os.fsencode(path)) > _SOCKET_PATH_LIMIT:
            raise OSError(errno.ENAMETOOLONG, f"socket path longer than {_SOCKET_PATH_LIMIT} bytes")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            connection.connect(path)
        except BaseException:
            connection.close()
            raise
        return connection
    if separator and scheme in ("tcp", "http"):
        host, port = _host_and_port(rest, address)
        return socket.create_connection((host, port), timeout=timeout)
    raise ValueError(f"cannot ping {address!r}: only unix://, tcp:// and http:// addresses")


def _host_and_port(rest: str, address: str) -> tuple[str, int]:
    authority = rest.partition("/")[0].rpartition("@")[2]
    host, _, port = authority.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} must have the form tcp://HOST:PORT")
    return host.strip("[]"), int(port)


def _exchange(connection: socket.socket, deadline: float) -> bytes:
    connection.sendall(_REQUEST)
    answer = b""
    while b"\r\n\r\n" not in answer and len(answer) < _MAX_ANSWER:
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        connection.settimeout(remaining)
        chunk = connection.recv(4096)
        if not chunk:
            break
        answer += chunk
    return answer


def _read(answer: bytes) -> Pong:
    if not answer:
        raise PingFailed("connection dropped without an answer")
    head, *lines = answer.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    protocol, _, status = head.partition(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not protocol.startswith("HTTP/"):
        raise PingFailed("what listens there does not speak HTTP")
    if not status.startswith("200"):
        raise PingFailed(f"answered HTTP {status.strip() or 'without a status'}")
    if "api-version" not in headers and "libpod-api-version" not in headers:
        raise PingFailed("what listens there is not a container engine")
    return Pong(
        server=headers.get("server", ""),
        libpod_version=headers.get("libpod-api-version", ""),
        api_version=headers.get("api-version", ""),
    )


def _reason(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "absent"
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (error.strerror or str(error) or type(error).__name__).lower()
