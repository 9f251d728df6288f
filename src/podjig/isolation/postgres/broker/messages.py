"""What a test process and the broker say to each other: one JSON object a line, over a Unix socket.

A test process says: ``hello`` (who it is, the server, the template), ``take`` (it wants ``count`` more databases),
``hurry`` (a test waits), ``mine`` (it has these), ``give`` (drop this one), ``kept`` (forget this one), ``flush`` (say
when all that I gave is dropped). The broker says: ``hello``, ``database``, ``failed``, ``left``, ``flushed``.
"""

from __future__ import annotations

import json
import select
import socket
from typing import Any

PROTOCOL = 1
"""Goes up with each change of what is said: processes of different numbers never meet."""

Message = dict[str, Any]

_CHUNK = 65536


class Conversation:
    """One side of a connection between a test process and the broker."""

    def __init__(self, peer: socket.socket) -> None:
        """Talk over a connected socket, which from now on never blocks."""
        peer.setblocking(False)
        self.socket = peer
        self._heard = b""

    def say(self, what: str, **details: object) -> None:
        """Send a message.

        Raises:
            ConnectionError: The other side is gone, or has not listened for hundreds of messages.
        """
        line = json.dumps({"say": what, **details}).encode() + b"\n"
        try:
            sent = self.socket.send(line)
        except OSError as error:
            raise ConnectionError(f"cannot send: {error}") from None
        if sent < len(line):
            raise ConnectionError("the other side does not listen")

    def hear(self, timeout: float = 0) -> list[Message]:
        """Return what has come, after waiting for something for at most ``timeout`` seconds.

        Raises:
            ConnectionError: The other side is gone.
        """
        if timeout > 0:
            poll = select.poll()  # not select(): it cannot take descriptors above 1023
            poll.register(self.socket, select.POLLIN)
            poll.poll(timeout * 1000)
        while True:
            try:
                chunk = self.socket.recv(_CHUNK)
            except BlockingIOError:
                break
            except OSError as error:
                raise ConnectionError(f"cannot receive: {error}") from None
            if not chunk:
                raise ConnectionError("the other side has gone")
            self._heard += chunk
            if len(chunk) < _CHUNK:
                break
        *lines, self._heard = self._heard.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Hang up."""
        self.socket.close()
