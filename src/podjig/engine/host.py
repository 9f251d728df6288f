"""Facts of this host that decide how Podman must be set up, read from files in about two milliseconds.

``podman info`` would know most of them, at the price of half a second. Each probe takes the root folder to look in,
so that a test can hand it a made-up host.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from podjig.engine.files import PROGRAM_FOLDERS
from podjig.engine.mounts import Mount, mounts

CgroupMode = Literal["v2", "v1", "hybrid", "none"]
Device = Literal["usable", "absent", "denied"]
Helper = Literal["usable", "absent", "no privilege"]

ROOT = Path("/")
RUNTIMES = ("crun", "runc", "kata", "runsc")
PROGRAMS = (
    *RUNTIMES, "conmon", "slirp4netns", "pasta", "netavark", "aardvark-dns", "catatonit", "fuse-overlayfs", "iptables",
    "nft", "newuidmap", "newgidmap", "unshare",
)  # fmt: skip

_CAP_SYS_RESOURCE = 24


@dataclass(frozen=True, kw_only=True)
class Host:
    """What this host is like.

    Attributes:
        uid: The user's number.
        user: The user's name; empty where the password database has none.
        kernel: Major and minor version.
        cgroup: How control groups are mounted.
        systemd: Whether systemd is the init of this host.
        journald: Whether a system journal takes log entries.
        tun: Whether ``/dev/net/tun`` can be opened: rootless networks need it.
        fuse: Whether ``/dev/fuse`` can be opened: fuse-overlayfs needs it.
        subuids: How many subordinate user ids the user has.
        subgids: How many subordinate group ids the user has.
        newuidmap: Whether the helper that maps them can do its work.
        no_new_privileges: Whether set-uid programs gain nothing here.
        sys_resource: Whether limits may be raised (``CAP_SYS_RESOURCE``).
        user_namespaces: How many user namespaces may exist; 0 where unprivileged ones are off.
        nofile: Own hard limit of open files; -1 for none.
        nproc: Own hard limit of processes; -1 for none.
        pid_max: How many processes the kernel allows.
        shm_free: Free bytes of ``/dev/shm``; 0 where it is absent.
        programs: Name -> path of what is installed of :data:`PROGRAMS`.
        mounts: The mount table.
    """

    uid: int
    user: str = ""
    kernel: tuple[int, int] = (0, 0)
    cgroup: CgroupMode = "none"
    systemd: bool = False
    journald: bool = False
    tun: Device = "usable"
    fuse: Device = "usable"
    subuids: int = 0
    subgids: int = 0
    newuidmap: Helper = "usable"
    no_new_privileges: bool = False
    sys_resource: bool = False
    user_namespaces: int = 1
    nofile: int = -1
    nproc: int = -1
    pid_max: int = 32768
    shm_free: int = 0
    programs: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()

    @property
    def rootless(self) -> bool:
        """Whether the user is not root."""
        return self.uid != 0

    def has(self, program: str) -> bool:
        """Whether a program is installed."""
        return program in self.programs


def probe(environ: Mapping[str, str] | None = None, *, root: Path = ROOT) -> Host:
    """Read everything that :class:`Host` holds."""
    import resource

    environ = os.environ if environ is None else environ
    uid = os.getuid()
    user = user_name(uid, root)
    status = process_status(root)
    table = mounts(root)
    found = programs(environ.get("PATH", ""), root)
    return Host(
        uid=uid,
        user=user,
        kernel=kernel_version(root),
        cgroup=cgroup_mode(table),
        systemd=(root / "run/systemd/system").is_dir(),
        journald=(root / "run/systemd/journal/socket").exists(),
        tun=device("dev/net/tun", root),
        fuse=device("dev/fuse", root),
        subuids=subordinate_ids("etc/subuid", user, uid, root),
        subgids=subordinate_ids("etc/subgid", user, uid, root),
        newuidmap=mapping_helper(found),
        no_new_privileges=status.get("NoNewPrivs") == "1",
        sys_resource=bool(int(status.get("CapEff", "0"), 16) >> _CAP_SYS_RESOURCE & 1),
        user_namespaces=user_namespaces(root),
        nofile=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        nproc=resource.getrlimit(resource.RLIMIT_NPROC)[1],
        pid_max=_number(root / "proc/sys/kernel/pid_max", 32768),
        shm_free=free_bytes(root / "dev/shm"),
        programs=found,
        mounts=table,
    )


def cgroup_mode(table: Iterable[Mount]) -> CgroupMode:
    """How control groups are mounted: version 2 alone, version 1 alone, both beside each other, or not at all."""
    kinds = {mount.kind: mount.point for mount in table if mount.kind in ("cgroup", "cgroup2")}
    if "cgroup" in kinds:
        return "hybrid" if "cgroup2" in kinds else "v1"
    return "v2" if "cgroup2" in kinds else "none"


def kernel_version(root: Path = ROOT) -> tuple[int, int]:
    """Major and minor version of the kernel; zeros where it cannot be told."""
    numbers = _text(root / "proc/sys/kernel/osrelease").split(".")
    try:
        return int(numbers[0]), int("".join(character for character in numbers[1] if character.isdigit()))
    except (IndexError, ValueError):
        return 0, 0


def device(path: str, root: Path = ROOT) -> Device:
    """Whether a device file can be opened for reading and writing."""
    if not (root / path).exists():
        return "absent"
    return "usable" if os.access(root / path, os.R_OK | os.W_OK) else "denied"


def user_name(uid: int, root: Path = ROOT) -> str:
    """The user's name in the password database; empty where it has none."""
    if root == ROOT:
        import pwd

        try:
            return pwd.getpwuid(uid).pw_name
        except KeyError:
            return ""
    for line in _text(root / "etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[2] == str(uid):
            return fields[0]
    return ""


def subordinate_ids(path: str, user: str, uid: int, root: Path = ROOT) -> int:
    """How many ids ``/etc/subuid`` or ``/etc/subgid`` grants to the user."""
    total = 0
    for line in _text(root / path).splitlines():
        owner, _, rest = line.partition(":")
        count = rest.partition(":")[2].strip()
        if owner and owner in (user, str(uid)) and count.isdecimal():
            total += int(count)
    return total


def mapping_helper(found: Mapping[str, str]) -> Helper:
    """Whether ``newuidmap`` and ``newgidmap`` are there and carry the privilege they need."""
    for name in ("newuidmap", "newgidmap"):
        path = found.get(name)
        if path is None:
            return "absent"
        if not Path(path).stat().st_mode & stat.S_ISUID and not _file_capabilities(path):
            return "no privilege"
    return "usable"


def user_namespaces(root: Path = ROOT) -> int:
    """How many user namespaces the kernel allows; 0 where unprivileged users may have none."""
    if _text(root / "proc/sys/kernel/unprivileged_userns_clone").strip() == "0":
        return 0
    return _number(root / "proc/sys/user/max_user_namespaces", 1)


def programs(path: str, root: Path = ROOT) -> dict[str, str]:
    """Where each of :data:`PROGRAMS` is installed: in ``path`` first, then where Podman looks besides."""
    prefix = "" if root == ROOT else str(root)
    folders = PROGRAM_FOLDERS if prefix else tuple(dict.fromkeys([*filter(None, path.split(":")), *PROGRAM_FOLDERS]))
    found = {}
    for name in PROGRAMS:
        for folder in folders:
            place = f"{prefix}{folder}/{name}"
            if os.access(place, os.X_OK):
                found[name] = place
                break
    return found


def process_status(root: Path = ROOT) -> dict[str, str]:
    """The lines of ``/proc/self/status``."""
    lines = (line.partition(":") for line in _text(root / "proc/self/status").splitlines())
    return {name: value.strip() for name, _, value in lines}


def free_bytes(folder: Path) -> int:
    """Free bytes of the file system that holds ``folder``; 0 where it is absent."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def _file_capabilities(path: str) -> bool:
    try:
        return bool(os.getxattr(path, "security.capability"))
    except OSError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _number(path: Path, default: int) -> int:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else default
