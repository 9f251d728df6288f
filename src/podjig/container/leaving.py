"""The end of a ``with`` block: what was started is removed, or let go of where it is kept."""

from __future__ import annotations

from types import TracebackType

from podjig.errors import PodjigError


class Leaving:
    """What its class starts and stops, left by a ``with`` block."""

    def stop(self) -> None:
        """Remove it."""
        raise NotImplementedError

    def _is_kept(self) -> bool:
        """Whether it outlives the block on purpose."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Be as before the start."""
        raise NotImplementedError

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_kept():
            self._forget()
            return
        try:
            self.stop()
        except PodjigError:
            if error is None:
                raise
            # The test's own error matters more; the session removes what is left.
