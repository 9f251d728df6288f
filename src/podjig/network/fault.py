"""A fault that was made on purpose, and its end."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self


class Fault:
    """A fault in force, until :meth:`undo` or the end of its ``with`` block.

    Args:
        how: By what means it was made.
        undo: Ends it; called once.

    Attributes:
        how: By what means it was made, like ``"signals"``.
    """

    def __init__(self, how: str, undo: Callable[[], None]) -> None:
        self.how: str = how
        self._undo: Callable[[], None] | None = undo

    @property
    def active(self) -> bool:
        """Whether it has not been undone."""
        return self._undo is not None

    def undo(self) -> None:
        """End it. Quiet the second time."""
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()

    def __repr__(self) -> str:
        return f"<Fault by {self.how}{'' if self.active else ', undone'}>"
