"""Names of the databases that podjig makes: told from others' by their prefix, and valid whatever asked for them.

======================================  ==========================================================================
``podjig_users_login_3f9a2c41_12``      the twelfth database of one process, asked for by ``test_users_login``
``podjig_users_login_3f9a2c41x12``      the same, where that process speaks for it: see ``broker/orphans.py``
``podjig_template_9c1f4d52a07b3e68``    a template, named after the content of its migration
``podjig_making_9c1f4d52a07b3e68``      that template while it is being made; half-made, where its maker was killed
======================================  ==========================================================================
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
import unicodedata

PREFIX = "podjig_"
"""What the name of every database of ours begins with."""

LIMIT = 63
"""The most bytes that PostgreSQL keeps of a name (``NAMEDATALEN`` - 1); it cuts off the rest without an error."""

_counter = itertools.count(1)
_tokens: dict[int, str] = {}


def database_name(requester: str = "", *, spoken_for: bool = False) -> str:
    """Return a name that no database has had yet, on any server.

    Args:
        requester: Who asks, for people to recognise: a pytest node id, of any length and alphabet, or a worker's name.
        spoken_for: This process holds the lock on its token; whoever finds that lock free may drop the database.
    """
    tail = f"{process_token()}{'x' if spoken_for else '_'}{next(_counter)}"
    hint = readable(requester)[: LIMIT - len(PREFIX) - len(tail) - 1].rstrip("_")
    return f"{PREFIX}{hint}_{tail}" if hint else f"{PREFIX}{tail}"


def template_name(key: str) -> str:
    """Return the name of the finished template for a migration's key."""
    return f"{PREFIX}template_{key}"


def making_name(key: str) -> str:
    """Return the name of that template while it is being made."""
    return f"{PREFIX}making_{key}"


def process_token() -> str:
    """Return eight random letters that are this process's own: a forked child has others."""
    pid = os.getpid()
    if pid not in _tokens:
        _tokens.clear()
        _tokens[pid] = secrets.token_hex(4)
    return _tokens[pid]


def readable(requester: str) -> str:
    """Return what of a pytest node id may stand in a name: its test's name and parameters, lower-case ASCII."""
    head, bracket, parameters = requester.partition("[")
    text = head.rpartition("::")[2] + bracket + parameters
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_").removeprefix("test_")
