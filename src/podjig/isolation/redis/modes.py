"""The ways to a clean Redis, by name. Importing this costs nothing."""

from __future__ import annotations

from podjig.errors import DefinitionError

MODES = ("index", "prefix", "server")
"""``index`` gives each process a database of its own and flushes it, ``prefix`` gives each test keys of its own,
``server`` a whole server."""


def check_mode(mode: str) -> str:
    """Return ``mode``.

    Raises:
        DefinitionError: There is none of that name.
    """
    if mode not in MODES:
        raise DefinitionError(f"unknown mode {mode!r} of Redis isolation", hint=f"use {', '.join(MODES)}")
    return mode
