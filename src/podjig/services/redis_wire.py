"""The few words of Redis's protocol (RESP 2) that podjig itself speaks: no client to import.

Source: the Redis serialization protocol specification.
"""

from __future__ import annotations

import socket
from types import TracebackType
from typing import TYPE_CHECKING, Any

from podjig.errors import ContainerError, ServerRefusal

if TYPE_CHECKING:
    from typing_extensions import Self


_ANSWER = 60.0
"""Seconds for the answer to a statement."""


class RedisWire:
    """A connection for podjig's own use.

    Args:
        address: Host and port.
        password: The default user's; ``None`` for none.
        timeout: Seconds until it must have let us in.

    Raises:
        ServerRefusal: The password is wrong.
        OSError: There is no server.
    """

    def __init__(self, address: tuple[str, int], *, password: str | None = None, timeout: float = 5.0) -> None:
        self._socket = socket.create_connection(address, timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = self._socket.makefile("rb")
        try:
            if password:
                self.run(("AUTH", password))
            self._socket.settimeout(_ANSWER)
        except BaseException:
            self.close()
            raise

    def run(self, *commands: tuple[str, ...]) -> list[Any]:
        """Run commands, sent together, and return their answers: text, numbers, lists of them, ``None``.

        All are run, whatever becomes of the others.

        Raises:
            ServerRefusal: One failed; the first that did.
        """
        self._socket.sendall(b"".join(_packed(command) for command in commands))
        answers = [self._answer() for _ in commands]
        for command, answer in zip(commands, answers, strict=True):
            if isinstance(answer, ServerRefusal):
                answer.message = f"Redis said to {command[0]}: {answer.message}"
                raise answer
        return answers

    def close(self) -> None:
        """End the connection. Safe to call twice."""
        self._read.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answer(self) -> Any:
        line = self._read.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode("utf-8", "surrogateescape")
        if kind == b"-":
            return ServerRefusal(rest.decode("utf-8", "replace"))
        if kind == b":":
            return int(rest)
        if kind == b"$":
            size = int(rest)
            return None if size < 0 else self._read.read(size + 2)[:-2].decode("utf-8", "surrogateescape")
        if kind == b"*":
            return None if int(rest) < 0 else [self._answer() for _ in range(int(rest))]
        raise ContainerError(f"what listens there does not speak Redis's protocol: it said {line!r}")


def _packed(command: tuple[str, ...]) -> bytes:
    words = [word.encode("utf-8", "surrogateescape") for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
