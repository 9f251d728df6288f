"""Host names."""

from __future__ import annotations

import ipaddress
import re

from podjig.errors import DefinitionError

LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
"""One part of a host name."""

_LONGEST = 253


def is_hostname(name: str) -> bool:
    """Whether ``name`` is a host name, and no address. Source: RFC 952 and RFC 1123."""
    return len(name) <= _LONGEST and all(LABEL.fullmatch(part) for part in name.split(".")) and not _is_address(name)


def check_hostname(name: str, *, what: str = "alias") -> str:
    """Return ``name`` if it is a host name.

    Raises:
        DefinitionError: It is not.
    """
    if isinstance(name, str) and is_hostname(name):
        return name
    raise DefinitionError(
        f"{what} {name!r} is not a host name", hint="use letters, digits and hyphens, in parts joined by dots"
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
