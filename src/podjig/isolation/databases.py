"""What the entries for each kind of server share: they choose a way by its name, and pass on what it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Generic

from podjig.errors import DefinitionError
from podjig.isolation.protocol import Isolation, Leftover, State

if TYPE_CHECKING:
    from typing_extensions import Self


class Databases(Generic[State]):
    """Gives out clean databases of one server, by one of several ways.

    Attributes:
        mode: The way.
    """

    def __init__(self, mode: str, way: Isolation[State]) -> None:
        """Take over a way.

        Args:
            mode: Its name.
            way: Itself.
        """
        self.mode = mode
        self._way = way

    def acquire(self, requester: str = "") -> State:
        """Return a clean database, nobody else's until it is released.

        Args:
            requester: Who asks, for messages: a pytest node id.

        Raises:
            IsolationError: There is none to be had.
        """
        return self._way.acquire(requester)

    def release(self, state: State, *, keep: bool = False) -> None:
        """Take a database back, whatever was done to it.

        Args:
            state: What :meth:`acquire` returned.
            keep: Leave it as it is, to be looked at.
        """
        self._way.release(state, keep=keep)

    def leftovers(self) -> list[Leftover]:
        """Return what was found left behind since the last call."""
        return self._way.leftovers()

    def close(self) -> None:
        """Put away every database that was given out but those kept. Safe to call twice."""
        self._way.close()

    @contextmanager
    def database(self, requester: str = "") -> Iterator[State]:
        """Give a clean database for the length of the block."""
        state = self.acquire(requester)
        try:
            yield state
        finally:
            self.release(state)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def check_workers(workers: int) -> int:
    """Return ``workers``.

    Raises:
        DefinitionError: It is no number of processes.
    """
    if not isinstance(workers, int) or workers < 1:
        raise DefinitionError(f"workers is {workers!r}", hint="give how many processes share the server")
    return workers
