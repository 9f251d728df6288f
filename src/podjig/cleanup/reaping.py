"""What the helper process does once its owner is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from podjig.cleanup.folders import Folders, folders
from podjig.cleanup.labels import format_time
from podjig.cleanup.lease import Lease, take
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.removal import remove
from podjig.cleanup.sweep import sweep
from podjig.cleanup.verdict import Judge
from podjig.errors import PodjigError

_PAUSES = (0.0, 0.1, 0.2, 0.4, 0.8, 1.5)
"""Seconds before each look. What the owner had asked for when it died, the engine may still be making."""

_PATIENCE = 60.0
"""Seconds in which a failing removal, or an engine that does not answer, is tried again."""


def run(verb: str, *, session: str, address: str, root: str, private: bool) -> int:
    """Reap a session whose owner is gone, or sweep those that ended earlier.

    Args:
        verb: ``"reap"`` or ``"sweep"``.
        session: The session of the helper.
        address: The engine's.
        root: The runtime folder.
        private: The engine is our own service, to be started again where it is gone.
    """
    where = folders(Path(root))
    client = LibpodClient(address, revive=_reviver() if private else None)
    log = where.logs / f"{session}.log"
    try:
        if verb == "sweep":
            result = sweep(client, where)
            for item, reason in result.failed:
                _write(log, f"{item}: {reason}")
            return 0
        return _reap(client, where, session, log)
    except PodjigError as error:
        _write(log, f"{verb}: {error}")
        return 1


def _reap(client: LibpodClient, where: Folders, session: str, log: Path) -> int:
    # Held while we work, so that no sweep does the same; dropped with us, should we be killed as well.
    lease = _take_over(where, session)
    deadline = time.monotonic() + _PATIENCE
    pauses = list(_PAUSES)
    trouble = ""
    while True:
        time.sleep(pauses.pop(0) if pauses else _PAUSES[-1])
        try:
            trouble = _remove_once(client, where, session)
        except PodjigError as error:
            trouble = str(error)
        if not pauses and not trouble:
            break
        if time.monotonic() > deadline:
            _write(log, trouble)
            break
    if lease is not None:
        lease.release(remove=not trouble)
    return 1 if trouble else 0


def _remove_once(client: LibpodClient, where: Folders, session: str) -> str:
    """Remove what the session has but does not keep; return what could not be removed."""
    resources = client.resources(session=session)
    # Ours by label and by the pipe that closed, so only "kept" is left to ask.
    judge = Judge(where.leases, where.kept)
    ours = [item for item in resources if judge.judge(item.id, item.labels).standing != "kept"]
    result = remove(client, ours)
    return "\n".join(f"{item}: {reason}" for item, reason in result.failed)


def _take_over(where: Folders, session: str) -> Lease | None:
    """Take the owner's lease, which the kernel drops a moment after its pipe."""
    path = where.leases.lease(session)
    for _ in range(100):
        lease = take(path)
        if lease is not None or not path.exists():
            return lease
        time.sleep(0.01)
    return None


def _reviver() -> Callable[[], object]:
    from podjig.engine.service import PrivateService

    return PrivateService().ensure


def _write(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{format_time(time.time())} {text}\n")
