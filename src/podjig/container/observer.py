"""Who wants to know of every container that this process starts, attaches to, reuses or is about to remove."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from podjig.container.running import Running

How = Literal["started", "attached", "reused"]


class Startup(NamedTuple):
    """A container that is ready.

    Attributes:
        container: The container.
        how: Made and started; made by another process of this run; or left by an earlier run.
        seconds: How long that took.
        waited_for: What it waited for, in words; empty for nothing.
        note: Why it was not taken up from an earlier run, if it might have been; empty if it was.
    """

    container: Running
    how: How
    seconds: float
    waited_for: str
    note: str = ""


observers: list[Callable[[Startup], None]] = []
"""Called, in the thread that started it, with each container that is ready. Append, and remove when done."""


def tell(startup: Startup) -> None:
    """Tell all observers."""
    for observer in tuple(observers):
        observer(startup)


leaving: list[Callable[[Running], None]] = []
"""Called with each container that :meth:`stop` is about to remove: the last chance to ask it something."""


def tell_leaving(container: Running) -> None:
    """Tell who wants to know that a container is about to be removed."""
    for observer in tuple(leaving):
        observer(container)
