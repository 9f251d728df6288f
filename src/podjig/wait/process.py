"""A container's first process, as this machine shows it."""

from __future__ import annotations

from pathlib import Path


def is_process_of(pid: int, container_id: str) -> bool:
    """Whether ``pid`` means here what it means to the engine: its parent is the container's monitor."""
    try:
        parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
        return container_id in Path(f"/proc/{parent}/cmdline").read_text()
    except OSError:
        return False
