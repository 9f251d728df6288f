"""The sweep: remove what ended sessions have left, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

from podjig.cleanup.folders import Folders
from podjig.cleanup.labels import LEASES, SESSION
from podjig.cleanup.lease import take
from podjig.cleanup.libpod import LibpodClient, Resource
from podjig.cleanup.removal import Removal, remove
from podjig.cleanup.verdict import Judge


def sweep(
    client: LibpodClient, where: Folders, *, told: Callable[[Resource, str], None] | None = None
) -> Removal:
    """Remove everything that a verdict calls removable, then the leases of sessions of which nothing is left.

    Args:
        client: The engine.
        where: The folders.
        told: As for :func:`podjig.cleanup.removal.remove`.

    Raises:
        EngineError: The engine cannot list.
    """
    # The leases first: a session that begins after this look is not in it, whatever it makes meanwhile.
    sessions = where.leases.sessions()
    resources = client.resources()
    judge = Judge(where.leases, where.kept)
    removable = [item for item in resources if judge.judge(item.id, item.labels).removable]
    with ExitStack() as held:
        # Held while we work: of two sweeps one does it, and the other sees a living session.
        taken = {session: lease for session in sessions if (lease := take(where.leases.lease(session))) is not None}
        for lease in taken.values():
            held.callback(lease.release)
        ours = [
            item
            for item in removable
            if item.labels.get(LEASES) != where.leases.id
            or item.labels.get(SESSION, "") in taken
            or not where.leases.lease(item.labels.get(SESSION, "")).exists()
        ]
        result = remove(client, ours, told=told)
        failed = {item.labels.get(SESSION) for item, _ in result.failed}
        for session, lease in taken.items():
            if session not in failed:
                lease.release(remove=True)
        for item in result.removed:
            where.kept.forget(item.id)
    return result
