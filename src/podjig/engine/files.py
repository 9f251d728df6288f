"""Files that the user may not be allowed to look at (what cannot be seen is not there), and files of the engine's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
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


def rewrite(path: Path | str, change: Callable[[list[str]], Iterable[str]]) -> None:
    """Change the lines of a file in place: a container has this very file mounted.

    Raises:
        OSError: It is not there, or not ours to write.
    """
    file = os.open(path, os.O_RDWR)
    try:
        before = os.pread(file, 1 << 20, 0).decode("utf-8", "surrogateescape").splitlines()
        after = list(change(list(before)))
        if after == before:
            return
        text = "".join(f"{line}\n" for line in after).encode("utf-8", "surrogateescape")
        os.pwrite(file, text, 0)  # in one piece, and shortened afterwards: who reads meanwhile finds every name
        os.ftruncate(file, len(text))
    finally:
        os.close(file)
