"""How the controller of pytest-xdist and its workers talk: lines of JSON over a Unix socket."""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from typing import Any

from podjig import errors
from podjig.errors import EngineUnavailable, PodjigError

Message = dict[str, Any]


class Line:
    """One connection, and messages over it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._connection.close()

    def send(self, message: Message) -> None:
        """Send a message.

        Raises:
            OSError: The other side has gone.
        """
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def ask(self, message: Message) -> Message:
        """Send a message and return the answer.

        Raises:
            EngineUnavailable: The other side has gone.
        """
        try:
            self.send(message)
            answer = self.receive()
        except OSError:
            answer = None
        if answer is None:
            raise EngineUnavailable("the controller of pytest-xdist has ended")
        return answer

    def receive(self) -> Message | None:
        """Return the next message; ``None`` if the other side has gone."""
        try:
            raw = self._file.readline()
        except ConnectionError:
            return None
        if not raw.endswith(b"\n"):
            return None
        message: Message = json.loads(raw)
        return message


def path_of(address: str) -> str:
    """Return where to bind or connect to: an address with ``@`` is in no folder."""
    return f"\0{address[1:]}" if address.startswith("@") else address


def is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end is of this user. A socket in a private folder need not ask."""
    if sys.platform != "linux":
        return True
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", raw)[1] == os.getuid())


def told(error: BaseException) -> Message:
    """Return an error as a message has it."""
    if isinstance(error, PodjigError):
        return {"type": type(error).__name__, "message": error.message, "hint": error.hint, "logs": error.logs}
    return {"type": "", "message": f"{type(error).__name__}: {error}", "hint": "", "logs": ""}


def error_of(answer: Message) -> PodjigError:
    """Return the error that another worker has met, as if it were met here."""
    told = answer["failed"]
    kind = getattr(errors, told["type"], PodjigError) if told["type"] else PodjigError
    error: PodjigError = kind(f"{told['message']} (told by {answer['worker']})", hint=told["hint"], logs=told["logs"])
    return error
