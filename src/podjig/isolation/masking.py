"""What was given for a server, as a message may show it."""

from __future__ import annotations

import re


def shown(server: object) -> str:
    """Return what was given for a server, without a URL's password."""
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", repr(server))
