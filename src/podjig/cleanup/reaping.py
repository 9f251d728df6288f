"""What the helper process does once its owner is gone."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from podjig.cleanup.folders import Folders, folders
from podjig.cleanup.labels import format_time
from podjig.cleanup.lease import Lease, take
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.reaper import due
from podjig.cleanup.removal import remove
from podjig.cleanup.sweep import sweep
from podjig.cleanup.verdict import Judge
from podjig.errors import EngineUnavailable, PodjigError

_PAUSES = (0.0, 0.1, 0.2, 0.4, 0.8, 1.5)
"""Seconds before each look. What the owner had asked for when it died, the engine may still be making."""

_LONG_PAUSE = 15.0
_PATIENCE = 600.0
"""Seconds in which a failing removal, or an engine that does not answer, is tried again, at growing intervals."""


def run(verb: str, *, session: str, address: str, root: str, private: bool) -> int:
    """Reap a session whose owner is gone, or sweep those that ended earlier.

    Args:
        verb: ``"reap"`` or ``"sweep"``.
        session: The session of the helper.
        address: The engine's.
        root: The runtime folder.
        private: The engine is our own service, to be started again where it is gone.

    Returns:
        0 if nothing is left to do.
    """
    where = folders(Path(root))
    client = LibpodClient(address, revive=_reviver(address) if private else None)
    log = where.logs / f"{session}.log"
    code = 0
    if verb == "reap":
        code = _reap(client, where, session, log)
        if not due(session, address, root):
            return code
    # What it could not remove it writes down itself. Where the engine is gone there will be another.
    with suppress(EngineUnavailable):
        sweep(client, where)
    return code


def _reap(client: LibpodClient, where: Folders, session: str, log: Path) -> int:
    # Held while we work, so that no sweep does the same; dropped with us, should we be killed as well.
    lease = _take_over(where, session)
    if lease is not None:
        lease.mark("cleaning")
    began = time.monotonic()
    pauses, pause, told = list(_PAUSES), _PAUSES[-1], ""
    while True:
        pause = pauses.pop(0) if pauses else min(2 * pause, _LONG_PAUSE)
        time.sleep(pause)
        try:
            trouble = _remove_once(client, where, session)
        except PodjigError as error:
            trouble = str(error)
        if pauses:
            continue
        if not trouble:
            log.unlink(missing_ok=True)
            break
        if trouble != told:
            _write(log, trouble)
            told = trouble
        if time.monotonic() - began > _PATIENCE:
            break
    if lease is not None:
        if not trouble:
            lease.mark("done")
        lease.release()
    return 1 if trouble else 0


def _remove_once(client: LibpodClient, where: Folders, session: str) -> str:
    """Remove what the session has but does not keep; return what could not be removed."""
    judge = Judge(where.leases, where.kept)
    # Ours by label and by the pipe that closed, so only "kept" is left to ask.
    there = client.resources(session=session)
    result = remove(client, [item for item in there if not judge.keeping(item.id, item.labels)[1]])
    return "\n".join(error.message for _, error in result.failed)


def _take_over(where: Folders, session: str) -> Lease | None:
    """Take the owner's lease, which the kernel drops a moment after its pipe."""
    path = where.leases.lease(session)
    for _ in range(100):
        lease = take(path)
        if lease is not None or not path.exists():
            return lease
        time.sleep(0.01)
    return None


def _reviver(address: str) -> Callable[[], object]:
    from podjig.engine.service import PrivateService

    service = PrivateService()

    def revive() -> None:
        # Its place follows from the environment, which our owner may have changed since it found its engine.
        if service.address != address:
            raise EngineUnavailable(f"nobody listens at {address}, and this environment's service is {service.address}")
        service.ensure()

    return revive


def _write(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{format_time(time.time())} {text}\n")
