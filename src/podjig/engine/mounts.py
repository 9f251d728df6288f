"""The mount table, as far as it decides what an engine can do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Mount:
    """One mounted file system: where, and of which kind (``"ext4"``, ``"overlay"``, ...)."""

    point: str
    kind: str


def mounts(root: Path = Path("/")) -> tuple[Mount, ...]:
    """Read ``/proc/self/mountinfo``; empty where it cannot be read."""
    try:
        text = (root / "proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ()
    table = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if len(fields) > 4 and kinds:
            table.append(Mount(point=_unescape(fields[4]), kind=kinds[0]))
    return tuple(table)


def file_system(path: str, table: Iterable[Mount]) -> str:
    """The kind of file system that holds ``path``, be it there or not yet; empty where it cannot be told."""
    best, kind = -1, ""
    for mount in table:
        inside = path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
        if inside and len(mount.point) >= best:  # of two mounts on one point the later one hides the earlier
            best, kind = len(mount.point), mount.kind
    return kind


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
