"""What the groups of verbs share."""

from __future__ import annotations

import json
from collections.abc import Mapping

from podjig.engine.podman.host import HostFacts
from podjig.engine.podman.hosts import MemberNames
from podjig.engine.podman.transport import Transport

QUICK = 30.0
"""Seconds for a call that only asks or changes the engine's own records. Such calls take milliseconds; a machine
under load may hold the store's lock for seconds."""

SLOW = 120.0
"""Seconds for a call that makes the engine start or end processes."""


class Verbs:
    """Base of a group of verbs: the service they call, and whether it runs on this machine."""

    _transport: Transport
    _facts: HostFacts
    _local: bool
    _names: MemberNames


def label_filter(labels: Mapping[str, str] | None) -> dict[str, str]:
    """Return the query parameter that keeps what carries all ``labels``; an empty value stands for any."""
    if not labels:
        return {}
    wanted = [f"{name}={value}" if value else name for name, value in labels.items()]
    return {"filters": json.dumps({"label": wanted})}


def shown(id: str) -> str:
    """Return a container's name, or its id in the short form that command lines show, quoted for a message."""
    return repr(id[:12] if len(id) == 64 else id)


def carries_all(labels: Mapping[str, str], wanted: Mapping[str, str] | None) -> bool:
    """Whether all ``wanted`` are among ``labels``; an empty value stands for any."""
    return all(name in labels and value in ("", labels[name]) for name, value in (wanted or {}).items())
