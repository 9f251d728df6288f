"""Sizes: always bytes inside podjig, read from what users write."""

from __future__ import annotations

import re

from podjig.errors import DefinitionError

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>[kmgt]?)(i?b)?", re.IGNORECASE)


def size_in_bytes(value: int | str, *, what: str = "size") -> int:
    """Return ``value`` in bytes.

    Args:
        value: Bytes, or a number with a binary unit as engines read it: ``"64m"``, ``"1.5g"``, ``"512KiB"``.
        what: The name of the argument, for the error.

    Raises:
        DefinitionError: The value is not a positive size.
    """
    hint = "write bytes as a number, or a size like '64m' or '1g'"
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise DefinitionError(f"{what} {value!r} is not a size", hint=hint)
        value = int(float(match["number"]) * _UNITS[match["unit"].lower()])
    if isinstance(value, bool) or not isinstance(value, int):
        raise DefinitionError(f"{what} must be a size, not {value!r}", hint=hint)
    if value <= 0:
        raise DefinitionError(f"{what} must be more than zero bytes, not {value!r}", hint=hint)
    return value
