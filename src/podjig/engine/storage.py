"""Where Podman keeps images and containers, and with which storage driver."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from podjig.engine.choice import Choice
from podjig.engine.containers_conf import load_toml, user_file
from podjig.engine.files import is_file, is_folder
from podjig.engine.host import Host
from podjig.engine.mounts import file_system

DRIVERS = ("overlay", "vfs", "btrfs", "zfs", "aufs", "devicemapper")
OVERLAY_BY_DEFAULT_SINCE = (5, 0)
# Kernel 5.13 let user namespaces mount overlay file systems, 6.6 gave tmpfs the attributes they need.
_ROOTLESS_OVERLAY_KERNEL = (5, 13)
_TMPFS_OVERLAY_KERNEL = (6, 6)
_NO_OVERLAY_ON = (
    "overlay",
    "nfs",
    "nfs4",
    "9p",
    "virtiofs",
    "vboxsf",
    "ecryptfs",
    "aufs",
    "zfs",
    "fuse",
    "smb3",
    "cifs",
)


@dataclass(frozen=True, kw_only=True)
class Store:
    """The user's store, as it is before the service starts.

    Attributes:
        root: Its folder.
        driver: Driver of what it holds; empty where there is no store yet.
        configured: Driver that a storage.conf or STORAGE_DRIVER asks for; empty for none.
        origin: Which of the two asks for it.
        kind: Kind of the file system that holds (or would hold) the folder.
    """

    root: str
    driver: str = ""
    configured: str = ""
    origin: str = ""
    kind: str = ""


def probe(environ: Mapping[str, str], host: Host, *, root: Path = Path("/")) -> Store:
    """Look at the store that Podman would use under ``environ``.

    Raises:
        ConfigError: A storage.conf cannot be read or is not valid TOML.
    """
    path = storage_conf(environ, rootless=host.rootless, root=root)
    table = load_toml(path).get("storage", {}) if path else {}
    place = graph_root(table, environ, host, own_file=bool(path) and path == user_file(environ, "storage.conf"))
    configured, origin = environ.get("STORAGE_DRIVER", ""), "environment variable STORAGE_DRIVER"
    if not configured and isinstance(table.get("driver"), str):
        configured, origin = table["driver"], str(path)
    return Store(
        root=place,
        driver=existing_driver(Path(place)),
        configured=configured,
        origin=origin if configured else "",
        kind=file_system(os.path.realpath(place), host.mounts),
    )


def storage_conf(environ: Mapping[str, str], *, rootless: bool, root: Path = Path("/")) -> Path | None:
    """The storage.conf that is in force; ``None`` where there is none."""
    candidates = [Path(environ["CONTAINERS_STORAGE_CONF"])] if environ.get("CONTAINERS_STORAGE_CONF") else []
    user = user_file(environ, "storage.conf")
    if rootless and user:
        candidates.append(user)
    candidates += [root / "etc/containers/storage.conf", root / "usr/share/containers/storage.conf"]
    return next((path for path in candidates if is_file(path)), None)


def graph_root(table: Mapping[str, object], environ: Mapping[str, str], host: Host, *, own_file: bool) -> str:
    """The store's folder: as storage.conf says, else Podman's default."""
    own = table.get("graphroot")
    if not host.rootless:
        return own if isinstance(own, str) and own else "/var/lib/containers/storage"
    if isinstance(own, str) and own and (own_file or environ.get("CONTAINERS_STORAGE_CONF")):
        return own
    home = environ.get("HOME", "")
    rootless = table.get("rootless_storage_path")
    if isinstance(rootless, str) and rootless:
        for name, value in (("HOME", home), ("UID", str(host.uid)), ("USER", host.user)):
            rootless = rootless.replace(f"${name}", value)
        return rootless
    return f"{environ.get('XDG_DATA_HOME') or home + '/.local/share'}/containers/storage"


def existing_driver(root: Path) -> str:
    """The driver of the store in ``root``; empty where there is none.

    Podman's own database has the last word: with any other driver it refuses to start.
    """
    try:
        database = (root / "libpod/bolt_state.db").read_bytes()
    except OSError:
        database = b""
    _, key, value = database.rpartition(b"graph-driver-name")
    if key:
        for driver in DRIVERS:
            if value.startswith(driver.encode()):
                return driver
    return next((driver for driver in DRIVERS if is_folder(root / f"{driver}-images")), "")


def driver(store: Store, host: Host, version: tuple[int, ...]) -> list[Choice]:
    """Choose the driver: what the store has; else what the user asks for; else the best that works for a new one."""
    if store.driver:
        if store.configured == store.driver:
            return [Choice(name="STORAGE_DRIVER", value=store.driver, why=f"set by {store.origin}", origin="yours")]
        why = f"the store in {store.root} was made with it"
        if store.configured:
            why += f" (not with {store.configured!r}, which {store.origin} asks for)"
        return [Choice(name="STORAGE_DRIVER", value=store.driver, why=why)]
    if store.configured:
        return [Choice(name="STORAGE_DRIVER", value=store.configured, why=f"set by {store.origin}", origin="yours")]
    obstacle = overlay_obstacle(store.kind, host)
    if not obstacle:
        if not host.rootless or version >= OVERLAY_BY_DEFAULT_SINCE:
            return [Choice(name="STORAGE_DRIVER", value="overlay", why="Podman's own choice here", origin="default")]
        why = "no store yet; this Podman would take vfs, which copies the whole image for every container"
        return [Choice(name="STORAGE_DRIVER", value="overlay", why=why)]
    if host.has("fuse-overlayfs") and host.fuse == "usable" and store.kind not in ("nfs", "nfs4"):
        program = host.programs["fuse-overlayfs"]
        return [
            Choice(name="STORAGE_DRIVER", value="overlay", why="no store yet, and fuse-overlayfs is installed"),
            Choice(name="STORAGE_OPTS", value=f"overlay.mount_program={program}", why=obstacle),
        ]
    return [Choice(name="STORAGE_DRIVER", value="vfs", why=f"{obstacle}, and fuse-overlayfs cannot be used")]


def overlay_obstacle(kind: str, host: Host) -> str:
    """Why the kernel's overlay file system cannot hold a store here; empty where it can."""
    if kind in _NO_OVERLAY_ON or kind.startswith("fuse."):
        return f"the store would lie on {kind}, which overlay cannot be laid over"
    if not host.rootless:
        return ""
    if host.kernel < _ROOTLESS_OVERLAY_KERNEL:
        return f"kernel {host.kernel[0]}.{host.kernel[1]} lets no ordinary user mount overlay"
    if kind == "tmpfs" and host.kernel < _TMPFS_OVERLAY_KERNEL:
        return f"the store would lie on tmpfs, which needs a newer kernel than {host.kernel[0]}.{host.kernel[1]}"
    return ""
