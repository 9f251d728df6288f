"""Looking at files that the user may not be allowed to look at: what cannot be seen is not there."""

from __future__ import annotations

from pathlib import Path

# Where Podman looks for helpers beside $PATH (its helper_binaries_dir), and where distributions put runtimes.
PROGRAM_FOLDERS = (
    "/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/libexec/podman",
    "/usr/lib/podman", "/usr/local/libexec/podman", "/usr/local/lib/podman", "/run/current-system/sw/bin",
)  # fmt: skip


def is_file(path: Path | str) -> bool:
    """Whether there is a file (before Python 3.14 :meth:`Path.is_file` raises where a folder above is closed to us)."""
    try:
        return Path(path).is_file()
    except OSError:
        return False


def is_folder(path: Path | str) -> bool:
    """Whether there is a folder."""
    try:
        return Path(path).is_dir()
    except OSError:
        return False


def exists(path: Path | str) -> bool:
    """Whether there is anything."""
    try:
        return Path(path).exists()
    except OSError:
        return False
