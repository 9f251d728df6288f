"""Times as engines write them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)")


def timestamp(text: str | None) -> float | None:
    """Return Go's RFC 3339 time as seconds since the epoch, ``None`` for its zero time (year 1) and for no time."""
    match = _TIME.fullmatch(text or "")
    if match is None or match[1].startswith("0001-"):
        return None
    whole = datetime.fromisoformat(match[1] + ("+00:00" if match[3] == "Z" else match[3]))
    return whole.astimezone(timezone.utc).timestamp() + float(match[2] or 0)
