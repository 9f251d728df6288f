"""Who wants to know of every container that is started, attached to or reused in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from podjig.container.running import Running

How = Literal["started", "attached", "reused"]


@dataclass(frozen=True, kw_only=True)
class Startup:
    """A container that is ready.

    Attributes:
        container: The container.
        how: Made and started; made by another process of this run; or left by an earlier run.
        seconds: How long that took.
        waited_for: What it waited for, in words; empty for nothing.
    """

    container: Running
    how: How
    seconds: float
    waited_for: str


observers: list[Callable[[Startup], None]] = []
"""Called, in the thread that started it, with each container that is ready. Append, and remove when done."""


def tell(startup: Startup) -> None:
    """Tell all observers."""
    for observer in tuple(observers):
        observer(startup)
