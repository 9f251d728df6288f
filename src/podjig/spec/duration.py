"""Durations: always seconds inside podjig, read from what users write."""

from __future__ import annotations

import math
from datetime import timedelta

from podjig.errors import DefinitionError


def seconds(value: float | timedelta, *, what: str = "timeout") -> float:
    """Return ``value`` in seconds.

    Args:
        value: Seconds, or a :class:`~datetime.timedelta`.
        what: The name of the argument, for the error.

    Raises:
        DefinitionError: The value is negative, not finite or not a number.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DefinitionError(
            f"{what} must be a number of seconds or a timedelta, not {value!r}",
            hint=f"write for example {what}=30",
        )
    if not math.isfinite(value) or value < 0:
        raise DefinitionError(
            f"{what} must be zero or more seconds, not {value!r}", hint=f"write for example {what}=30"
        )
    return float(value)
