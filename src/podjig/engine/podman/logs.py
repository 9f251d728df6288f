"""What containers write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from podjig.engine.podman.frames import FrameDecoder
from podjig.engine.podman.stream import Stream
from podjig.engine.podman.transport import path_part
from podjig.engine.podman.verbs import QUICK, Verbs, shown
from podjig.engine.values import OutputChunk


class LogVerbs(Verbs):
    """Logs so far, and as they come."""

    def logs(
        self,
        id: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        since: float | None = None,
        tail: int | None = None,
    ) -> list[OutputChunk]:
        if not stdout and not stderr:
            return []
        answer = self._transport.call(
            "GET", _path(id), what=f"read the logs of container {shown(id)}", deadline=QUICK,
            params=_params(stdout=stdout, stderr=stderr, since=since, tail=tail),
        )  # fmt: skip
        decoder = FrameDecoder()
        return _wanted([*decoder.feed(answer.body), *decoder.end()], stdout=stdout, stderr=stderr)

    def follow_logs(
        self, id: str, *, stdout: bool = True, stderr: bool = True, since: float | None = None, tail: int | None = None
    ) -> FollowedLogs:
        """Comes up to 250 ms late: the service polls a file."""
        what = f"follow the logs of container {shown(id)}"
        self._transport.call("GET", f"containers/{path_part(id)}/exists", what=what, deadline=QUICK)
        # The service sends not even the head of its answer before the container has written something.
        stream = self._transport.lazy_stream(
            "GET", _path(id), what=what,
            params={"follow": True, **_params(stdout=stdout, stderr=stderr, since=since, tail=tail)},
        )  # fmt: skip
        return FollowedLogs(stream, stdout=stdout, stderr=stderr)


class FollowedLogs(Iterator[OutputChunk]):
    """An iterator over output as it comes; ``close()`` ends it from any thread, also while one waits in it."""

    def __init__(self, stream: Stream, *, stdout: bool, stderr: bool) -> None:
        self._stream = stream
        self._decoder = FrameDecoder()
        self._wanted = {"stdout": stdout, "stderr": stderr}
        self._ready: list[OutputChunk] = []

    def __next__(self) -> OutputChunk:
        while not self._ready:
            # Silence is no fault: the container may have nothing to say for hours.
            piece = self._stream.read(None)
            chunks = self._decoder.feed(piece) if piece else self._decoder.end()
            self._ready = _wanted(chunks, **self._wanted)
            if not piece and not self._ready:
                self.close()
                raise StopIteration
        return self._ready.pop(0)

    def close(self) -> None:
        """End it. Safe to call twice."""
        self._stream.close()

    def __enter__(self) -> FollowedLogs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


def _path(id: str) -> str:
    return f"containers/{path_part(id)}/logs"


def _params(*, stdout: bool, stderr: bool, since: float | None, tail: int | None) -> dict[str, Any]:
    return {
        "stdout": stdout,
        "stderr": stderr,
        "since": None if since is None else f"{since:.6f}",
        "tail": None if tail is None else str(tail),
    }


def _wanted(chunks: list[OutputChunk], *, stdout: bool, stderr: bool) -> list[OutputChunk]:
    return [chunk for chunk in chunks if (stdout if chunk.stream == "stdout" else stderr)]
