"""Where cleanup keeps its files: below the runtime folder, which is ours alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from podjig.cleanup.kept import KeptRecords
from podjig.cleanup.lease import LeaseFolder
from podjig.engine.runtime_dir import runtime_dir
from podjig.errors import EngineUnavailable


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Cleanup's folders.

    Attributes:
        leases: One file a session.
        kept: One file a resource that is kept.
        logs: What helper processes could not remove, one file a session.
        swept: A file whose time is that of the last sweep.
    """

    leases: LeaseFolder
    kept: KeptRecords
    logs: Path
    swept: Path


def folders(root: Path | None = None) -> Folders:
    """Return the folders below ``root`` (default: the runtime folder), made if need be.

    Raises:
        EngineUnavailable: They cannot be made: without a lease nothing could be cleaned up safely.
    """
    root = (root or runtime_dir()) / "cleanup"
    try:
        logs = root / "logs"
        logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Folders(
            leases=LeaseFolder(root / "leases"), kept=KeptRecords(root / "kept"), logs=logs, swept=root / "swept"
        )
    except OSError as error:
        raise EngineUnavailable(
            f"cannot keep leases in {root}: {error}",
            hint="make that folder writable, or set XDG_RUNTIME_DIR to one of your own",
        ) from error
