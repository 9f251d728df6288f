"""Making things in another process's session: it lives longer than this one, and removes them when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Membership:
    """What a process needs to know to make things in another's session. Plain values, to be sent.

    Attributes:
        session: The session's id.
        address: The address of its engine.
        labels: The labels that say whose its resources are.
    """

    session: str
    address: str
    labels: Mapping[str, str]


Ask = Callable[[], Membership]
"""Asks that process. It begins its session no sooner."""

_joined: ContextVar[Ask | None] = ContextVar("joined", default=None)


@contextmanager
def join(ask: Ask) -> Iterator[None]:
    """Make what this thread makes in the block in that session; it has no lease and no helper process of its own.

    If this process dies, even by SIGKILL, what it has made so stays until the session ends.

    Args:
        ask: Called when something is made.
    """
    token = _joined.set(ask)
    try:
        yield
    finally:
        _joined.reset(token)


def joined() -> Membership | None:
    """Return the session in which this thread makes things; ``None`` for that of its own process."""
    ask = _joined.get()
    return ask() if ask is not None else None
