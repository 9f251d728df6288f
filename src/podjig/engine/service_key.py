"""Which processes may share one private service: those that would start the very same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from podjig import __version__
from podjig.engine.binary import Binary
from podjig.engine.containers_conf import user_file
from podjig.engine.environment import distinguishing

_SYSTEM_FILES = tuple(
    f"/{folder}/containers/{name}"
    for folder in ("etc", "usr/share")
    for name in ("containers.conf", "containers.conf.d", "storage.conf")
)
_NAMED_FILES = ("CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE", "CONTAINERS_STORAGE_CONF")
_LENGTH = 12


def service_key(inherited: Mapping[str, str], podman: Binary) -> str:
    """Return a short name for the service that ``inherited`` and ``podman`` would make.

    What goes in is what the settings are derived from, not the settings: reading it costs a fraction of a millisecond,
    and a service in use is not forsaken because, say, a store has come into being since it started.
    """
    import hashlib  # loads the whole of OpenSSL

    parts = [__version__, str(os.getuid()), podman.fingerprint]
    parts += [f"{name}={value}" for name, value in sorted(distinguishing(inherited).items())]
    parts += [_fingerprint(path) for path in _files(inherited)]
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:_LENGTH]


def _files(inherited: Mapping[str, str]) -> list[str]:
    files = [*_SYSTEM_FILES, *(inherited.get(name, "") for name in _NAMED_FILES)]
    for name in ("containers.conf", "containers.conf.d", "storage.conf"):
        path: Path | None = user_file(inherited, name)
        files.append(str(path) if path else "")
    return files


def _fingerprint(path: str) -> str:
    try:
        found = Path(path).stat() if path else None
    except OSError:
        found = None
    return f"{path} {found.st_mtime_ns} {found.st_size}" if found else ""
