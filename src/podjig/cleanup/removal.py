"""Removing resources: users before what they use, side by side within a kind, going on after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.made_with import made_with
from podjig.cleanup.resource import REMOVAL_ORDER, Resource
from podjig.errors import EngineError


@dataclass(kw_only=True)
class Removal:
    """What was removed, and what was not, with the reason."""

    removed: list[Resource] = field(default_factory=list)
    failed: list[tuple[Resource, EngineError]] = field(default_factory=list)


def remove(
    client: LibpodClient,
    resources: Iterable[Resource],
    *,
    told: Callable[[Resource, EngineError | None], None] | None = None,
) -> Removal:
    """Remove resources.

    Args:
        client: The engine.
        resources: What to remove.
        told: Called for each with its error, if any.
    """
    result = Removal()
    wanted = list(resources)
    brought = {item.id: made_with(client, item) for item in wanted if item.kind == "container"}
    for kind in REMOVAL_ORDER:
        gone_with_pod = {pod.id for pod in result.removed if pod.kind == "pod"}
        left = [item for item in wanted if item.kind == kind and item.pod not in gone_with_pod]
        removed, failed = _remove_all(client, left)
        result.removed += removed
        result.failed += failed
        if told is not None:
            for item in removed:
                told(item, None)
            for item, error in failed:
                told(item, error)
        if kind == "container":
            staying = {item.id for item, _ in failed}
            # A volume that another container uses by now stays with that one.
            client.remove_all([volume for mine, them in brought.items() if mine not in staying for volume in them])
    return result


def _remove_all(
    client: LibpodClient, left: list[Resource]
) -> tuple[list[Resource], list[tuple[Resource, EngineError]]]:
    """Remove resources of one kind; what is in use by another (a container that shares its network) after that one."""
    removed: list[Resource] = []
    while left:
        failed = [(item, error) for item, error in client.remove_all(left) if error is not None]
        refused = {id(item) for item, _ in failed}
        gone = [item for item in left if id(item) not in refused]
        removed += gone
        if not gone:
            return removed, failed
        left = [item for item, _ in failed]
    return removed, []
