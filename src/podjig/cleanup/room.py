"""Making room for a name that an ended session still holds: who runs the tests again at once need not wait."""

from __future__ import annotations

import time

from podjig.cleanup.folders import Folders
from podjig.cleanup.inventory import survey
from podjig.cleanup.labels import SESSION, Kind
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.resource import Resource
from podjig.cleanup.sweep import sweep
from podjig.cleanup.verdict import Verdict

_PATIENCE = 5.0
"""Seconds in which whoever is cleaning up after that session has finished."""


def make_room(client: LibpodClient, where: Folders, kind: Kind, name: str) -> bool:
    """Remove what is called so, if it is an ended session's.

    Args:
        client: The engine.
        where: The folders.
        kind: What it is.
        name: Its name.

    Returns:
        Whether nothing of podjig's has that name any more. Somebody else's may.

    Raises:
        EngineError: The engine cannot list.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        entries = survey(client, where)
        found = [entry for entry in entries if entry.resource.kind == kind and entry.resource.name == name]
        if not found:
            return True
        if found[0].verdict.standing not in ("ended", "expired") or time.monotonic() > deadline:
            return False
        _sweep_session(client, where, found[0].session)
        time.sleep(0.02)


def _sweep_session(client: LibpodClient, where: Folders, session: str) -> None:
    """Remove what a session has left: all of it, since what uses a volume goes before it."""

    def theirs(item: Resource, verdict: Verdict) -> bool:
        return verdict.removable and item.labels.get(SESSION) == session

    sweep(client, where, choose=theirs)
