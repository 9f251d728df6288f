"""Bind mounts need their source: checked before an engine is asked."""

from __future__ import annotations

from pathlib import Path

from podjig.errors import MountError
from podjig.spec import ContainerSpec


def check_bind_sources(spec: ContainerSpec) -> None:
    """Check that the host paths exist; only for an engine on this machine.

    Over Docker's API, and with some engines over their own, a missing source becomes an empty folder instead.

    Raises:
        MountError: One does not.
    """
    for mount in spec.mounts:
        if mount.kind == "bind" and _is_missing(Path(mount.source)):
            raise missing_source(mount.source, mount.target)


def missing_source(source: str, target: str) -> MountError:
    """Return the error."""
    return MountError(
        f"the bind mount on {target!r} has a source that does not exist: {source!r}",
        hint="create it first, or correct the path; a named volume has no '/' in its name",
    )


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except PermissionError:
        return False  # not ours to see; a rootful engine may
    return False
