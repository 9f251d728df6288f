"""What cleaning up deals with, as it is read from the engine's listings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podjig.cleanup.labels import NAME, POD, Kind

REMOVAL_ORDER: tuple[Kind, ...] = ("pod", "container", "network", "volume", "image")
"""Who uses comes before what is used."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Something on the engine that carries podjig's labels.

    Attributes:
        kind: What it is.
        id: What the engine calls it.
        name: What people call it.
        labels: Its labels.
        status: A container's or pod's state; else empty.
        pod: The id of a container's pod, or of the container that stands in for one; empty if it is in none.
        image: The name of a container's image; else empty.
        mounts: Whether a container mounts anything.
    """

    kind: Kind
    id: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    pod: str = ""
    image: str = ""
    mounts: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def labels_of(raw: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the labels in an entry of the engine's."""
    return raw.get("Labels") or raw.get("labels") or {}


def read(kind: Kind, raw: Mapping[str, Any], *, all_names: bool = False) -> list[Resource]:
    """Return what an entry of one of the engine's listings stands for: an image with several names is several things.

    Args:
        kind: Which listing it is from.
        raw: The entry.
        all_names: Take all of an image's names, not only the one that podjig gave it.
    """
    labels = labels_of(raw)
    if kind == "container":
        if raw.get("IsInfra"):
            return []  # goes with its pod
        return [
            Resource(
                kind=kind,
                id=raw["Id"],
                name=(raw.get("Names") or [raw["Id"]])[0],
                labels=labels,
                status=raw.get("State", ""),
                pod=raw.get("Pod") or labels.get(POD, ""),
                image=raw.get("Image") or "",
                mounts=bool(raw.get("Mounts")),
            )
        ]
    if kind == "pod":
        return [Resource(kind=kind, id=raw["Id"], name=raw["Name"], labels=labels, status=raw.get("Status", ""))]
    if kind == "network":
        name = raw.get("name") or raw["Name"]
        return [Resource(kind=kind, id=name, name=name, labels=labels)]
    if kind == "volume":
        return [Resource(kind=kind, id=raw["Name"], name=raw["Name"], labels=labels)]
    # An image goes with its last name, so only the name that we gave it is removed. One without any goes by its id.
    names = [name for name in raw.get("Names") or () if not name.startswith("<none>")]
    chosen = [name for name in names if all_names or name == labels.get(NAME)]
    if not names:
        return [Resource(kind=kind, id=raw["Id"], name=raw["Id"][:12], labels=labels)]
    return [Resource(kind=kind, id=name, name=name, labels=labels) for name in chosen]
