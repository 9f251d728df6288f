"""The ways to a clean database, by name. Importing this costs nothing."""

from __future__ import annotations

from podjig.errors import DefinitionError

MODES = ("pool", "template", "rollback", "truncate")
"""``pool`` gives out clones that are ready, ``template`` clones when asked, ``rollback`` takes back one transaction,
``truncate`` empties the tables that were written to."""


def check_mode(mode: str) -> str:
    """Return ``mode``.

    Raises:
        DefinitionError: There is none of that name.
    """
    if mode not in MODES:
        raise DefinitionError(f"unknown mode {mode!r} of PostgreSQL isolation", hint=f"use {', '.join(MODES)}")
    return mode
