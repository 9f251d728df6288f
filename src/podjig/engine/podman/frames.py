"""The frames in which engines send standard output and standard error over one connection."""

from __future__ import annotations

import struct

from podjig.engine.values import OutputChunk, Stream

_HEADER = struct.Struct(">B3xL")  # stream (0 input, 1 output, 2 error), three zeros, length
_NAMES: dict[int, Stream] = {0: "stdout", 1: "stdout", 2: "stderr"}


class FrameDecoder:
    """Makes chunks of bytes as they arrive. Output without frames, as of a terminal, is standard output."""

    def __init__(self) -> None:
        self._rest = b""
        self._framed: bool | None = None

    def feed(self, data: bytes) -> list[OutputChunk]:
        """Return the chunks that are complete with ``data``."""
        self._rest += data
        if self._framed is None and len(self._rest) >= _HEADER.size:
            self._framed = self._rest[0] in _NAMES and self._rest[1:4] == b"\0\0\0"
        if not self._framed:
            return self.end() if self._framed is False else []
        chunks: list[OutputChunk] = []
        start = 0
        while start + _HEADER.size <= len(self._rest):
            number, length = _HEADER.unpack_from(self._rest, start)
            end = start + _HEADER.size + length
            if end > len(self._rest):
                break
            chunks.append(OutputChunk(stream=_NAMES.get(number, "stdout"), data=self._rest[start + _HEADER.size : end]))
            start = end
        self._rest = self._rest[start:]
        return chunks

    def end(self) -> list[OutputChunk]:
        """Return what is left, also of a frame that was cut off."""
        rest, self._rest = self._rest, b""
        if self._framed and len(rest) >= _HEADER.size:
            stream, data = _NAMES.get(rest[0], "stdout"), rest[_HEADER.size :]
        elif self._framed:
            return []
        else:
            stream, data = "stdout", rest
        return [OutputChunk(stream=stream, data=data)] if data else []
