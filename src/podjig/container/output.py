"""What a container says."""

from __future__ import annotations

from collections.abc import Iterator

from podjig.container.running import Running


class OutputMethods(Running):
    """Its output, so far or as it comes."""

    def get_logs(self) -> tuple[bytes, bytes]:
        """Return all it wrote so far: (standard output, standard error)."""
        chunks = self.engine.logs(self.id)
        return (
            b"".join(chunk.data for chunk in chunks if chunk.stream == "stdout"),
            b"".join(chunk.data for chunk in chunks if chunk.stream == "stderr"),
        )

    def logs(
        self, *, stdout: bool = True, stderr: bool = True, since: float | None = None, tail: int | None = None
    ) -> str:
        """Return what it wrote, both streams in order, as text.

        Args:
            stdout: Include standard output.
            stderr: Include standard error.
            since: Only what was written at or after this time, in seconds since the epoch.
            tail: Only this many last lines.
        """
        chunks = self.engine.logs(self.id, stdout=stdout, stderr=stderr, since=since, tail=tail)
        return b"".join(chunk.data for chunk in chunks).decode("utf-8", "replace")

    def follow_logs(
        self, *, stdout: bool = True, stderr: bool = True, since: float | None = None, tail: int | None = None
    ) -> Iterator[str]:
        """Yield the lines it wrote, then those it writes, without their line ends, until it ends.

        Close the iterator to stop early.
        """
        chunks = self.engine.follow_logs(self.id, stdout=stdout, stderr=stderr, since=since, tail=tail)
        rest = {"stdout": b"", "stderr": b""}
        try:
            for chunk in chunks:
                *lines, rest[chunk.stream] = (rest[chunk.stream] + chunk.data).split(b"\n")
                for line in lines:
                    yield line.decode("utf-8", "replace")
            for last in filter(None, rest.values()):
                yield last.decode("utf-8", "replace")
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
