"""Host names."""

from __future__ import annotations

import re

from podjig.errors import DefinitionError

LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
"""One part of a host name."""

_LONGEST = 253


def check_hostname(name: str, *, what: str = "alias") -> str:
    """Return ``name`` if it is a host name. Source: RFC 952 and RFC 1123.

    Raises:
        DefinitionError: It is not.
    """
    if isinstance(name, str) and len(name) <= _LONGEST and all(LABEL.fullmatch(part) for part in name.split(".")):
        return name
    raise DefinitionError(
        f"{what} {name!r} is not a host name", hint="use letters, digits and hyphens, in parts joined by dots"
    )
