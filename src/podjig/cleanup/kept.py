"""Records of what is kept on purpose after it was made: labels cannot be changed then."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class KeptRecord:
    """One kept resource.

    Attributes:
        until: When it expires, in seconds since the epoch.
        why: Why it is kept, in words.
        lock: The lock of whoever is using it; empty where nobody says so.
    """

    until: float
    why: str
    lock: str = ""


class KeptRecords:
    """The records in a folder, one file a resource."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, id: str, *, seconds: float, why: str, lock: str = "") -> None:
        """Keep the resource with this id for ``seconds`` from now.

        Raises:
            OSError: The folder cannot be written to.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        record = KeptRecord(until=time.time() + seconds, why=why, lock=lock)
        name = id.replace("/", "_")
        temporary = self._folder / f".{name}.new"
        temporary.write_text(json.dumps(asdict(record)), encoding="utf-8")
        temporary.rename(self._folder / name)  # whole or not at all

    def get(self, id: str) -> KeptRecord | None:
        """Return the record of the resource with this id; ``None`` if there is none."""
        path = self._folder / id.replace("/", "_")
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            return KeptRecord(until=float(raw["until"]), why=str(raw["why"]), lock=str(raw.get("lock", "")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, LookupError):  # somebody edited it, and meant to keep what it is about
            return KeptRecord(until=math.inf, why=f"its record cannot be read: {path}")

    def ids(self) -> list[str]:
        """Return the ids that have a record, each slash in them as ``_``."""
        try:
            return sorted(file.name for file in self._folder.iterdir() if not file.name.startswith("."))
        except FileNotFoundError:
            return []

    def forget(self, id: str) -> None:
        """Drop a record. Quiet where there is none."""
        (self._folder / id.replace("/", "_")).unlink(missing_ok=True)
