"""Volumes that the engine made along with a container.

A named volume that is not there is made by the engine with the container that mounts it, without labels. podjig makes
its volumes itself, beforehand. But a creation that was still under way when its session ended brings back a volume that
was removed meanwhile, and nobody could tell whose that is.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.resource import Resource
from podjig.engine.timestamp import timestamp

_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
"""The name of a volume without one. It goes with its container."""


def made_with(client: LibpodClient, container: Resource) -> list[Resource]:
    """Return the volumes that were made with a container: those it mounts that are not older, and nobody has labelled.

    Raises:
        EngineUnavailable, EngineTimeout: The engine does not answer.
    """
    found = client.look(f"containers/{container.id}/json") if container.mounts else None
    began = timestamp(found.get("Created")) if found else None
    if found is None or began is None:
        return []
    names = {mount.get("Name", "") for mount in found.get("Mounts") or () if mount.get("Type") == "volume"}
    volumes = []
    for name in sorted(name for name in names if name and not _ANONYMOUS.fullmatch(name)):
        volume = client.look(f"volumes/{quote(name, safe='')}/json") or {}
        made = timestamp(volume.get("CreatedAt"))
        if made is not None and made >= began and not volume.get("Labels"):
            volumes.append(Resource(kind="volume", id=name, name=name))
    return volumes
