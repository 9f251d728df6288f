"""How long one look may take: no longer than the wait it belongs to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SHORTEST = 0.2
"""Seconds that even the last look gets, so that a wait of zero seconds looks once."""

_deadline: ContextVar[float | None] = ContextVar("podjig_wait_deadline", default=None)


@contextmanager
def until(deadline: float) -> Iterator[None]:
    """Let looks within the block end by ``deadline``, a time of :func:`time.monotonic`."""
    token = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(token)


def at_most(seconds: float) -> float:
    """Return the seconds that one look may take: ``seconds``, or what is left of the wait under way."""
    deadline = _deadline.get()
    if deadline is None:
        return seconds
    return max(_SHORTEST, min(seconds, deadline - time.monotonic()))
