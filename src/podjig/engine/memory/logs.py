"""Logs of the engine in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from podjig.engine.values import OutputChunk


def select(
    written: list[tuple[float, OutputChunk]], *, stdout: bool, stderr: bool, since: float | None, tail: int | None
) -> list[OutputChunk]:
    """Return what a reader asked for."""
    chunks = [
        chunk
        for when, chunk in written
        if (stdout if chunk.stream == "stdout" else stderr) and (since is None or when >= since)
    ]
    return chunks if tail is None else chunks[max(len(chunks) - tail, 0) :]


class FollowedLogs(Iterator[OutputChunk]):
    """Output as it comes.

    Args:
        more: Returns what is there beyond the given number of pieces, having waited for it; ``None`` at the end. It
            asks its second argument whether to wait on.
        wake: Wakes who waits.
        wanted: Whether a piece is to be yielded.
        ready: What to yield first.
        seen: How many pieces the container had written by then.
    """

    def __init__(
        self,
        more: Callable[[int, Callable[[], bool]], list[OutputChunk] | None],
        wake: Callable[[], None],
        *,
        wanted: Callable[[OutputChunk], bool],
        ready: list[OutputChunk],
        seen: int,
    ) -> None:
        self._more = more
        self._wake = wake
        self._wanted = wanted
        self._ready = ready
        self._seen = seen
        self._closed = False

    def __next__(self) -> OutputChunk:
        while not self._ready:
            fresh = None if self._closed else self._more(self._seen, lambda: not self._closed)
            if not fresh:
                raise StopIteration
            self._seen += len(fresh)
            self._ready = [chunk for chunk in fresh if self._wanted(chunk)]
        return self._ready.pop(0)

    def close(self) -> None:
        """End it. Safe to call twice."""
        self._closed = True
        self._ready = []
        self._wake()
