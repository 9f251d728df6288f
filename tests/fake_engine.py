"""What answers every request on a socket with the same bytes, as an engine of another kind or version would."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PODMAN = b"HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\nLibpod-Api-Version: 4.3.1\r\nServer: Libpod/4.3.1 (linux)\r\n\r\nOK"
DOCKER = b"HTTP/1.1 200 OK\r\nApi-Version: 1.43\r\nServer: Docker/24.0.7 (linux)\r\n\r\nOK"


@contextmanager
def answering(answer: bytes, *, path: Path | None = None) -> Iterator[str]:
    """Yield the address of a socket that answers: a unix one at ``path``, else TCP on the loopback."""
    if path is None:
        listener = socket.create_server(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        address = f"unix://{path}"
    server = threading.Thread(target=_serve, args=(listener, answer))
    server.start()
    try:
        yield address
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # ends the waiting in accept
        server.join()
        listener.close()


def _serve(listener: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(4096)
            for piece in (answer[:20], answer[20:]):  # as a network may deliver it
                connection.sendall(piece)
