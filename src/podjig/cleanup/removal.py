"""Removing resources: users before what they use, side by side within a kind, going on after a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from podjig.cleanup.libpod import REMOVAL_ORDER, LibpodClient, Resource
from podjig.errors import EngineError

_AT_ONCE = 4
"""More threads gain nothing on an engine that serialises most of a removal."""


@dataclass(kw_only=True)
class Removal:
    """What was removed, and what was not, with the engine's reason."""

    removed: list[Resource] = field(default_factory=list)
    failed: list[tuple[Resource, str]] = field(default_factory=list)


def remove(
    client: LibpodClient, resources: Iterable[Resource], *, told: Callable[[Resource, str], None] | None = None
) -> Removal:
    """Remove resources.

    Args:
        client: The engine.
        resources: What to remove.
        told: Called after each with the reason of a failure, empty for none. May be called from other threads.
    """
    result = Removal()
    by_kind = {kind: [item for item in resources if item.kind == kind] for kind in REMOVAL_ORDER}
    gone_with_pod = {pod.id for pod in by_kind["pod"]}
    by_kind["container"] = [item for item in by_kind["container"] if item.pod not in gone_with_pod]

    def one(item: Resource) -> None:
        try:
            client.remove(item)
        except EngineError as error:
            result.failed.append((item, error.message))
            reason = error.message
        else:
            result.removed.append(item)
            reason = ""
        if told is not None:
            told(item, reason)

    for kind in REMOVAL_ORDER:
        items = by_kind[kind]
        if len(items) == 1:
            one(items[0])
        elif items:
            with ThreadPoolExecutor(_AT_ONCE) as pool:
                list(pool.map(one, items))
    return result
