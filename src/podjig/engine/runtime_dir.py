"""The folder for what podjig keeps while it runs: the private service's socket, locks, logs. Ours alone, mode 0700."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from podjig.errors import EngineUnavailable

# A unix socket's path holds 107 bytes; this much of it is for what lies below the folder:
# "/service-0123456789ab/podman.sock" and as much again for what else may want a socket there.
SOCKET_PATH_LIMIT = 107
_ROOM = 50


def runtime_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Return our folder, made if need be.

    The first that can be used of: ``$XDG_RUNTIME_DIR/podjig``, ``/run/user/UID/podjig``, for root ``/run/podjig``,
    ``/tmp/podjig-UID``, ``$TMPDIR/podjig-UID``, ``/var/tmp/podjig-UID``, ``$HOME/.cache/podjig/run``. ``/tmp`` comes
    before ``$TMPDIR`` so that processes that differ only in the latter still find each other.

    Raises:
        EngineUnavailable: None can be used; the message holds each reason.
    """
    environ = os.environ if environ is None else environ
    reasons = []
    for folder in candidates(environ):
        reason = _claim(folder)
        if not reason:
            return folder
        reasons.append(f"{folder} ({reason})")
    raise EngineUnavailable(
        f"no folder for podjig's own socket and logs can be used: {', '.join(reasons)}",
        hint="set XDG_RUNTIME_DIR to a folder that belongs to you, has mode 0700 and a short path",
    )


def candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield the folders to try, best first."""
    uid = os.getuid()
    parents = [environ.get("XDG_RUNTIME_DIR") or "", f"/run/user/{uid}"]
    for parent in dict.fromkeys(parents):
        if parent and usable(Path(parent), private=True):
            yield Path(parent) / "podjig"
    if uid == 0:
        yield Path("/run/podjig")
    temporary = ["/tmp", environ.get("TMPDIR") or "", "/var/tmp"]  # noqa: S108  owner and mode are checked
    for parent in dict.fromkeys(temporary):
        if parent and os.access(parent, os.W_OK | os.X_OK):
            yield Path(parent) / f"podjig-{uid}"
    home = environ.get("HOME")
    if home:
        yield Path(home) / ".cache/podjig/run"


def usable(folder: Path, *, private: bool) -> bool:
    """Whether ``folder`` exists, is ours and can be written to; ``private``: and by nobody else."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == os.getuid()
        and not (private and found.st_mode & 0o022)
        and os.access(folder, os.W_OK | os.X_OK)
    )


def private_folder(folder: Path) -> None:
    """Make ``folder`` if it is absent; make sure that it is ours, mode 0700, and no link to somewhere else.

    Raises:
        OSError: It cannot be made, or is somebody else's.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whoever may write to the parent (everybody, in /tmp) could have put something here before us.
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(f"{folder} is not a folder")
    if found.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to uid {found.st_uid}")
    if found.st_mode & 0o777 != 0o700:
        folder.chmod(0o700)


def _claim(folder: Path) -> str:
    """Make the folder ours; return why that is not possible, nothing where it is."""
    if len(os.fsencode(folder)) + _ROOM > SOCKET_PATH_LIMIT:
        return "path too long for a unix socket"
    try:
        private_folder(folder)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    if not os.access(folder, os.W_OK | os.X_OK):
        return "not writable"
    return ""
