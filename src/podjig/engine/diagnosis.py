"""What is wrong on this host, as far as its files tell. What only Podman itself can tell is read from its log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from podjig.engine.choice import Choice
from podjig.engine.finding import Finding
from podjig.engine.host import RUNTIMES, Host
from podjig.engine.packages import install_command
from podjig.engine.settings import PASTA_SINCE
from podjig.engine.storage import OVERLAY_BY_DEFAULT_SINCE, Store, overlay_obstacle

_NETAVARK_SINCE = (4, 0)
# Mounted below /proc on ordinary hosts too, over an empty folder: hides nothing.
_HARMLESS_BELOW_PROC = ("/proc/sys/fs/binfmt_misc", "/proc/fs/nfsd")
_NO_NETWORK = "rootless containers have no network and no published ports; network_mode 'host' and 'none' work"


def diagnose(
    host: Host, store: Store, choices: Iterable[Choice], *, version: tuple[int, ...], root: Path = Path("/")
) -> list[Finding]:
    """Return what is wrong, the worst first.

    Args:
        host: What the host is like.
        store: The user's store.
        choices: What was chosen for the private service: what that repairs is no finding.
        version: Podman's version.
        root: Where ``/etc/os-release`` lies.
    """
    chosen = {choice.name: choice for choice in choices}
    found = [
        *_programs(host, root),
        *_user_namespaces(host, root),
        *_control_groups(host),
        *_network(host, chosen, version, root),
        *_storage(host, store, chosen, version, root),
        *_proc(host),
    ]
    return sorted(found, key=lambda finding: ("broken", "limited", "note").index(finding.severity))


def _programs(host: Host, root: Path) -> Iterator[Finding]:
    if not any(host.has(runtime) for runtime in RUNTIMES):
        yield Finding(
            problem="no OCI runtime is installed (crun, runc)",
            effect="no container can be created",
            repair=install_command(["runc" if host.cgroup == "hybrid" else "crun"], root=root),
            severity="broken",
        )
    elif host.cgroup == "hybrid" and not any(host.has(runtime) for runtime in RUNTIMES if runtime != "crun"):
        yield Finding(
            problem="control groups are mounted in hybrid mode, and crun, the only runtime here, refuses that",
            effect="no container starts: 'cgroups in hybrid mode not supported'",
            repair=install_command(["runc"], root=root),
            severity="broken",
        )
    if not host.has("conmon"):
        yield Finding(
            problem="conmon is not installed",
            effect="no container can be created: 'could not find a working conmon binary'",
            repair=install_command(["conmon"], root=root),
            severity="broken",
        )
    if not host.has("catatonit"):
        yield Finding(
            problem="catatonit is not installed",
            effect="pods cannot be created and init=True does not work: 'finding pause binary'",
            repair=install_command(["catatonit"], root=root),
        )


def _user_namespaces(host: Host, root: Path) -> Iterator[Finding]:
    if not host.rootless:
        return
    if host.user_namespaces == 0:
        yield Finding(
            problem="the kernel allows ordinary users no user namespaces",
            effect="rootless Podman cannot start: 'user namespaces are not enabled' or 'No space left on device'",
            repair="sudo sysctl -w user.max_user_namespaces=28633 kernel.unprivileged_userns_clone=1",
            severity="broken",
        )
    if not host.user:
        yield Finding(
            problem=f"uid {host.uid} has no entry in the password database",
            effect="Podman cannot map user ids: 'newuidmap: Cannot determine your user name'",
            repair=f"echo 'podjig:x:{host.uid}:{host.uid}::/tmp:/bin/sh' | sudo tee -a /etc/passwd",
            severity="broken",
        )
    if not host.subuids or not host.subgids:
        yield Finding(
            problem=f"user {host.user or host.uid} has no subordinate user or group ids",
            effect="only one user id exists inside containers: images with files of several owners cannot be unpacked,"
            " and user= does not work",
            repair=f"sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {host.user or host.uid}"
            " && podman system migrate",
        )
        return
    if host.newuidmap == "absent":
        yield Finding(
            problem="newuidmap or newgidmap is not installed",
            effect="Podman cannot use the subordinate ids: 'command required for rootless mode with multiple IDs'",
            repair=install_command(["newuidmap"], root=root),
            severity="broken",
        )
    elif host.newuidmap == "no privilege":
        yield Finding(
            problem="newuidmap or newgidmap is neither set-uid nor has file capabilities",
            effect="Podman cannot use the subordinate ids: 'write to uid_map failed: Operation not permitted'",
            repair="sudo chmod u+s $(command -v newuidmap newgidmap)",
            severity="broken",
        )
    elif host.no_new_privileges:
        yield Finding(
            problem="this process may gain no privileges (no_new_privs), so newuidmap cannot do its work",
            effect="Podman cannot use the subordinate ids: 'write to uid_map failed: Operation not permitted'",
            repair="start this session without it: no '--security-opt no-new-privileges' on the outer container,"
            " no 'NoNewPrivileges=' in the systemd unit",
            severity="broken",
        )


def _control_groups(host: Host) -> Iterator[Finding]:
    if host.cgroup == "none":
        yield Finding(
            problem="no control groups are mounted",
            effect="no container starts: 'no cgroup mount found in mountinfo'",
            repair="sudo mount -t cgroup2 none /sys/fs/cgroup",
            severity="broken",
        )
    elif host.rootless and host.cgroup != "v2":
        yield Finding(
            problem=f"control groups are mounted in {host.cgroup} mode, which users cannot manage",
            effect="memory, cpu and pids limits are silently ignored; pause and stats are refused",
            repair="boot with systemd.unified_cgroup_hierarchy=1, where limits matter",
            severity="note",
        )


def _network(host: Host, chosen: dict[str, Choice], version: tuple[int, ...], root: Path) -> Iterator[Finding]:
    if host.rootless and host.tun != "usable":
        missing = host.tun == "absent"
        yield Finding(
            problem=f"/dev/net/tun {'is absent' if missing else 'may not be opened by this user'}",
            effect=_NO_NETWORK,
            repair=("sudo modprobe tun; sudo mkdir -p /dev/net; sudo mknod /dev/net/tun c 10 200; " if missing else "")
            + "sudo chmod 666 /dev/net/tun",
        )
    if host.rootless:
        own = chosen.get("network.default_rootless_network_cmd")
        command = str(own.value) if own else "slirp4netns"
        if not host.has(command):
            yield Finding(
                problem=f"{command} is not installed",
                effect=_NO_NETWORK,
                repair=install_command(["pasta" if version >= PASTA_SINCE else "slirp4netns"], root=root),
            )
    if version < _NETAVARK_SINCE:
        return
    if not host.has("netavark"):
        yield Finding(
            problem="netavark is not installed",
            effect="networks cannot be used: 'unable to find network with name or ID'",
            repair=f"{install_command(['netavark', 'aardvark-dns'], root=root)} (or put the containers into one pod)",
        )
    elif not host.has("aardvark-dns"):
        yield Finding(
            problem="aardvark-dns is not installed",
            effect="containers in a network do not find each other by name: 'bad address'",
            repair=f"{install_command(['aardvark-dns'], root=root)} (or put them into one pod: they share localhost)",
        )
    if not host.has("iptables") and (version < PASTA_SINCE or not host.has("nft")):
        yield Finding(
            problem="iptables is not installed",
            effect="bridge networks cannot be used: 'netavark: No such file or directory'",
            repair=f"{install_command(['iptables'], root=root)} (or put the containers into one pod)",
        )


def _storage(
    host: Host, store: Store, chosen: dict[str, Choice], version: tuple[int, ...], root: Path
) -> Iterator[Finding]:
    if store.driver and store.configured and store.driver != store.configured:
        yield Finding(
            problem=f"{store.origin} asks for storage driver {store.configured!r}, the store is {store.driver!r}",
            effect="plain podman fails: 'database storage graph driver does not match'; podjig's own service works",
            repair=f"set driver = {store.driver!r} there, or begin anew: {_reset(store)}",
        )
    elif store.driver == "overlay" and not store.configured and host.rootless and version < OVERLAY_BY_DEFAULT_SINCE:
        yield Finding(
            problem="no storage.conf names the driver of your store, and this Podman's own default is another",
            effect="plain podman commands warn: 'User-selected graph driver \"vfs\" overwritten'",
            repair="mkdir -p ~/.config/containers && "
            """printf '[storage]\\ndriver = "overlay"\\n' >> ~/.config/containers/storage.conf""",
            severity="note",
        )
    driver = chosen.get("STORAGE_DRIVER")
    if driver is None or driver.value != "vfs":
        return
    obstacle = overlay_obstacle(store.kind, host)
    if obstacle and not host.has("fuse-overlayfs"):
        repair = install_command(["fuse-overlayfs"], root=root)
    elif obstacle:
        repair = "put the store on another file system (graphroot in storage.conf), or sudo chmod 666 /dev/fuse"
    else:
        repair = "set driver = 'overlay' in ~/.config/containers/storage.conf"
    if store.driver:
        repair = f"{_reset(store)}; then {repair}"
    yield Finding(
        problem=f"images are stored with the driver vfs ({driver.why})",
        effect="every container start copies the whole image: slow, and takes its size on disk",
        repair=repair,
    )


def _reset(store: Store) -> str:
    return f"'podman system reset' (deletes all in {store.root})"


def _proc(host: Host) -> Iterator[Finding]:
    hidden = [
        mount.point
        for mount in host.mounts
        if mount.point.startswith("/proc/") and mount.point not in _HARMLESS_BELOW_PROC
    ]
    if host.rootless and hidden:
        yield Finding(
            problem=f"parts of /proc are hidden here ({', '.join(hidden[:3])}): this is itself a container",
            effect="containers cannot have a /proc of their own: 'error mounting \"proc\" to rootfs'",
            repair="start the outer container with '--security-opt unmask=ALL' (Podman) or"
            " '--security-opt systempaths=unconfined' (Docker)",
        )
