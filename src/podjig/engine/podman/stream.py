"""An answer that is read piece by piece: logs, exec output, pulls, builds, archives."""

from __future__ import annotations

import codecs
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from podjig.engine.podman import faults
from podjig.errors import EngineUnavailable

_PIECE = 1 << 16


class Line:
    """The socket of one connection, which may be cut from another thread at any time, even before it is used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False

    def use(self, connected: socket.socket) -> None:
        """Take a connected socket."""
        with self._lock:
            self._socket = connected
            if self._cut:
                _shut(connected)

    def cut(self) -> None:
        """End it: whoever waits for an answer waits no longer."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                _shut(self._socket)

    def wait_at_most(self, seconds: float | None) -> None:
        """Set the time that one receive may take."""
        if self._socket is not None:
            self._socket.settimeout(None if seconds is None else max(seconds, 0.001))


class Stream:
    """One answer, open to be read.

    Args:
        ask: Returns podman-py's response for ``stream=True``.
        what: The call in words, for errors.
        address: The service, for errors.
        line: The connection, where it is known before the answer is.
    """

    def __init__(self, ask: Callable[[], Any], *, what: str, address: str, line: Line | None = None) -> None:
        self._ask = ask
        self._what = what
        self._address = address
        self._line = line or Line()
        self._response: Any = None
        self._closed = False

    def open(self) -> Stream:
        """Ask, if that has not been done yet."""
        if self._response is None:
            self._response = self._ask()
            connected = _socket_of(self._http)
            if connected is not None:
                self._line.use(connected)
        return self

    def read(self, timeout: float | None) -> bytes:
        """Return the next piece; empty at the end, and once the stream is closed.

        Args:
            timeout: Seconds to wait for it; ``None`` waits as long as it takes.

        Raises:
            EngineTimeout: Nothing came in time.
            EngineUnavailable: The connection was lost.
        """
        try:
            if self._closed:
                return b""
            self.open()
            self._line.wait_at_most(timeout)
            return bytes(self._http.read1(_PIECE))
        except (*faults.TRANSPORT_FAULTS, EngineUnavailable, ValueError, AttributeError) as error:
            if self._closed:  # by another thread meanwhile; http.client minds in various ways
                return b""
            if isinstance(error, (EngineUnavailable, AttributeError)):
                raise
            raise faults.unreachable(error, what=self._what, address=self._address, deadline=timeout or 0.0) from error

    @property
    def _http(self) -> Any:
        # The response of http.client under that of urllib3: its read1() returns what has come, chunked or not.
        return self._response.raw._fp  # noqa: SLF001  docker-py goes the same way

    def pieces(self, timeout: float | None) -> Iterator[bytes]:
        """Yield the pieces; each may take ``timeout`` seconds. The stream is closed after the last."""
        with self:
            while piece := self.read(timeout):
                yield piece

    def documents(self, timeout: float | None) -> Iterator[dict[str, Any]]:
        """Yield the JSON objects of which the answer is made, as they come."""
        utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        decoder = json.JSONDecoder()
        rest = ""
        for piece in self.pieces(timeout):
            rest = (rest + utf8.decode(piece)).lstrip()
            while rest:
                try:
                    document, end = decoder.raw_decode(rest)
                except json.JSONDecodeError:
                    break  # the rest of it is still to come
                if isinstance(document, dict):
                    yield document
                rest = rest[end:].lstrip()

    def close(self) -> None:
        """End it, also while another thread reads. Safe to call twice."""
        self._closed = True
        self._line.cut()
        if self._response is not None:
            self._response.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):  # the service has ended it already
        connected.shutdown(socket.SHUT_RDWR)


def _socket_of(http: Any) -> socket.socket | None:
    """The socket below an ``http.client.HTTPResponse``; ``None`` where the answer had no body and it is closed.

    The connection object does not have it any more when the answer ends with the connection (exec).
    """
    raw = getattr(http.fp, "raw", None)
    return getattr(raw, "_sock", None)
