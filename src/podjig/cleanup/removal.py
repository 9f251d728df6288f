"""Removing resources: users before what they use, side by side within a kind, going on after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from podjig.cleanup.libpod import REMOVAL_ORDER, LibpodClient, Resource
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
    for kind in REMOVAL_ORDER:
        gone_with_pod = {pod.id for pod in result.removed if pod.kind == "pod"}
        left = [item for item in wanted if item.kind == kind and item.pod not in gone_with_pod]
        failed: list[tuple[Resource, EngineError]] = []
        while left:
            outcome = client.remove_all(left)
            failed = [(item, error) for item, error in outcome if error is not None]
            refused = {id(item) for item, _ in failed}
            removed = [item for item in left if id(item) not in refused]
            result.removed += removed
            if told is not None:
                for item in removed:
                    told(item, None)
            # What is in use by another of its kind (a container by one that shares its network) goes after that one.
            left = [item for item, _ in failed] if removed else []
        result.failed += failed
        if told is not None:
            for item, error in failed:
                told(item, error)
    return result
