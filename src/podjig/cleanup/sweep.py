"""The sweep: remove what ended sessions have left, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import ExitStack

from podjig.cleanup.folders import Folders
from podjig.cleanup.labels import LEASES, SESSION, Kind, format_time
from podjig.cleanup.lease import Lease, LeaseState, take
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.reaper import GRACE
from podjig.cleanup.removal import Removal, remove
from podjig.cleanup.resource import Resource
from podjig.cleanup.verdict import Judge, Verdict
from podjig.errors import EngineError

_FORGOTTEN = 30 * 24 * 3600.0
"""Seconds after which the lease of an ended session goes whatever became of its engine."""

Choose = Callable[[Resource, Verdict], bool]


def sweep(
    client: LibpodClient,
    where: Folders,
    *,
    choose: Choose = lambda _, verdict: verdict.removable,
    told: Callable[[Resource, EngineError | None], None] | None = None,
) -> Removal:
    """Remove everything that ``choose`` takes, then put the leases of ended sessions away.

    Args:
        client: The engine.
        where: The folders.
        choose: What to remove; by default what any clean-up may. Nothing of a living session, whatever it says.
        told: As for :func:`podjig.cleanup.removal.remove`.

    Raises:
        EngineError: The engine cannot list.
    """
    resources = client.resources()
    judge = Judge(where.leases, where.kept)
    judged = [(item, judge.judge(item.id, item.labels)) for item in resources]
    chosen = [item for item, verdict in judged if verdict.by != "nobody" and choose(item, verdict)]
    with ExitStack() as held:
        # Held while we work: of two sweeps one does it, and the other sees that it is being done.
        taken: dict[str, Lease] = {}
        for session in where.leases.sessions():
            lease = take(where.leases.lease(session))
            if lease is not None:
                held.callback(lease.release)
                taken[session] = lease
        chosen = [item for item in chosen if _may_touch(item, where, taken)]
        for session in {_session(item) for item in chosen} & taken.keys():
            taken[session].mark("cleaning")
        result = remove(client, chosen, told=told)
        removed: set[tuple[Kind, str]] = {(item.kind, item.id) for item in result.removed}
        left = {_session(item) for item, verdict in judged if verdict.standing != "kept" and not _gone(item, removed)}
        for session, lease in taken.items():
            _put_away(lease, client, left=session in left)
        for item in result.removed:
            where.kept.forget(item.id)
    _forget_the_gone(where, resources)
    _write_logs(where, result, left)
    where.swept.touch()
    return result


def _may_touch(item: Resource, where: Folders, taken: Collection[str]) -> bool:
    if item.labels.get(LEASES) != where.leases.id:
        return True
    return _session(item) in taken or where.leases.state(_session(item)) is LeaseState.ABSENT


def _session(item: Resource) -> str:
    return item.labels.get(SESSION, "")


def _gone(item: Resource, removed: Collection[tuple[Kind, str]]) -> bool:
    return (item.kind, item.id) in removed or ("pod", item.pod) in removed


def _put_away(lease: Lease, client: LibpodClient, *, left: bool) -> None:
    """Note that nothing is left of a session; after a while of that, remove its lease."""
    note = lease.note()
    if note.address != client.address:
        if note.age > _FORGOTTEN:  # what its engine has of it cannot be seen from here
            lease.release(remove=True)
    elif note.stage != "done":
        if not left:
            lease.mark("done")
    elif note.age > GRACE and not left:
        lease.release(remove=True)


def _forget_the_gone(where: Folders, resources: list[Resource]) -> None:
    """Drop the records of what was kept and is gone, and has expired: another engine may have it."""
    known = {item.id.replace("/", "_") for item in resources}
    for name in where.kept.ids():
        record = where.kept.get(name)
        if name not in known and record is not None and record.until < time.time():
            where.kept.forget(name)


def _write_logs(where: Folders, result: Removal, left: Collection[str]) -> None:
    """Write down what could not be removed, and drop what was written of sessions of which nothing is left."""
    told: dict[str, list[str]] = {}
    for item, error in result.failed:
        told.setdefault(_session(item), []).append(f"{format_time(time.time())} {error.message}\n")
    for session, lines in told.items():
        (where.logs / f"{session}.log").write_text("".join(lines), encoding="utf-8")
    for log in where.logs.glob("*.log"):
        state = where.leases.state(log.stem)
        if log.stem not in left and (state is LeaseState.ABSENT or where.leases.is_done(log.stem)):
            log.unlink(missing_ok=True)
