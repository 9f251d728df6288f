"""An answer that is read piece by piece: logs, exec output, pulls, builds, archives."""

from __future__ import annotations

import codecs
import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from podjig.engine.podman import faults

_PIECE = 1 << 16


class Stream:
    """One open answer.

    Args:
        response: What podman-py's client returned for ``stream=True``.
        what: The call in words, for errors.
        address: The service, for errors.
    """

    def __init__(self, response: Any, *, what: str, address: str) -> None:
        self._response = response
        # The response of http.client under that of urllib3: its read1() returns what has come, chunked or not.
        self._http = response.raw._fp  # noqa: SLF001  docker-py goes the same way
        self._socket = _socket_of(self._http)
        self._what = what
        self._address = address
        self.closed = False

    def read(self, timeout: float | None) -> bytes:
        """Return the next piece; empty at the end, and once the stream is closed.

        Args:
            timeout: Seconds to wait for it; ``None`` waits as long as it takes.

        Raises:
            EngineTimeout: Nothing came in time.
            EngineUnavailable: The connection was lost.
        """
        if self.closed:
            return b""
        try:
            if self._socket is not None:
                self._socket.settimeout(None if timeout is None else max(timeout, 0.001))
            piece: bytes = self._http.read1(_PIECE)
        except (*faults.TRANSPORT_FAULTS, ValueError) as error:
            # ValueError: closed by another thread meanwhile
            if self.closed:
                return b""
            raise faults.unreachable(error, what=self._what, address=self._address, deadline=timeout or 0.0) from error
        return piece

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
        self.closed = True
        if self._socket is not None:
            with suppress(OSError):  # the service has ended it already
                self._socket.shutdown(socket.SHUT_RDWR)
        self._response.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _socket_of(http: Any) -> socket.socket | None:
    """The socket below an ``http.client.HTTPResponse``; ``None`` where the answer had no body and it is closed.

    The connection object does not have it any more when the answer ends with the connection (exec).
    """
    raw = getattr(http.fp, "raw", None)
    return getattr(raw, "_sock", None)
