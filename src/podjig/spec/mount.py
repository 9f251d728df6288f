"""Mounts: bind mounts, named volumes and tmpfs."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import Literal

from podjig.errors import MountError

Kind = Literal["bind", "volume", "tmpfs"]

_MODES = frozenset({"ro", "rw", "z", "Z", "U", "O", "exec", "noexec", "nocopy", "copy"})


@dataclass(frozen=True, kw_only=True)
class Mount:
    """One mount.

    Attributes:
        kind: ``"bind"`` (a path of the engine's host), ``"volume"`` (a named volume) or ``"tmpfs"``.
        target: Absolute path inside the container.
        source: Absolute host path, or the volume's name; empty for tmpfs.
        read_only: Mounted ``ro``.
        options: Further options as Podman's ``--volume`` takes them (``z``, ``Z``, ``U``, ``O``, ...).
        size: Size limit of a tmpfs in bytes; ``None`` for the kernel's default, half of the memory.
    """

    kind: Kind
    target: str
    source: str = ""
    read_only: bool = False
    options: tuple[str, ...] = ()
    size: int | None = None

    def __post_init__(self) -> None:
        if not posixpath.isabs(self.target):
            raise MountError(
                f"mount target {self.target!r} is not an absolute path",
                hint="name the folder inside the container from its root, like '/data'",
            )
        if self.kind != "tmpfs" and not self.source:
            raise MountError(f"the {self.kind} mount on {self.target!r} has no source", hint="name its source")


def parse_mode(mode: str, *, target: str) -> tuple[bool, tuple[str, ...]]:
    """Read a volume mode like ``"ro"``, ``"rw"`` or ``"ro,Z"``; return (read_only, other options).

    Raises:
        MountError: A part of it is unknown, or it says both ``ro`` and ``rw``.
    """
    parts = [part.strip() for part in mode.split(",")]
    unknown = [part for part in parts if part not in _MODES]
    if unknown:
        raise MountError(
            f"unknown volume mode {mode!r} for {target!r}",
            hint="use 'ro' or 'rw', with 'z' or 'Z' (SELinux) and 'U' (chown) where needed",
        )
    if "ro" in parts and "rw" in parts:
        raise MountError(f"volume mode {mode!r} for {target!r} says both ro and rw", hint="choose one")
    return "ro" in parts, tuple(part for part in parts if part not in ("ro", "rw"))
