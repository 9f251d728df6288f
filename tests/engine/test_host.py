from __future__ import annotations

import os
from pathlib import Path

import pytest

from podjig.engine import host
from podjig.engine.mounts import Mount, file_system, mounts

HYBRID = """\
23 29 0:22 / /proc rw - proc proc rw
30 29 0:26 / / rw,relatime shared:1 - ext4 /dev/vda rw
31 30 0:27 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
33 31 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
34 30 0:30 / /srv/my\\040data rw - nfs4 server:/data rw
"""


def write(root: Path, path: str, text: str = "", *, mode: int | None = None) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    if mode is not None:
        file.chmod(mode)
    return file


def test_mount_table(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/mountinfo", HYBRID)
    table = mounts(tmp_path)

    assert Mount(point="/srv/my data", kind="nfs4") in table
    assert file_system("/home/me/.local", table) == "ext4"
    assert file_system("/srv/my data/store", table) == "nfs4"
    assert file_system("/srv/my database", table) == "ext4"
    assert file_system("relative", table) == ""


def test_later_mount_hides_the_earlier() -> None:
    table = [Mount(point="/", kind="overlay"), Mount(point="/", kind="ext4")]
    assert file_system("/home", table) == "ext4"


@pytest.mark.parametrize(
    ("kinds", "mode"),
    [(["cgroup2"], "v2"), (["cgroup", "cgroup"], "v1"), (["cgroup", "cgroup2"], "hybrid"), (["ext4"], "none")],
)
def test_cgroup_mode(kinds: list[str], mode: str) -> None:
    assert host.cgroup_mode(Mount(point=f"/{kind}", kind=kind) for kind in kinds) == mode


@pytest.mark.parametrize(
    ("release", "version"),
    [("6.18.44-fc-v657", (6, 18)), ("5.4-rc1.x86", (5, 41)), ("6.1.0-13-amd64", (6, 1)), ("", (0, 0)), ("x.y", (0, 0))],
)
def test_kernel_version(tmp_path: Path, release: str, version: tuple[int, int]) -> None:
    write(tmp_path, "proc/sys/kernel/osrelease", release)
    assert host.kernel_version(tmp_path) == version


def test_device(tmp_path: Path) -> None:
    assert host.device("dev/net/tun", tmp_path) == "absent"
    write(tmp_path, "dev/net/tun")
    assert host.device("dev/net/tun", tmp_path) == "usable"


@pytest.mark.skipif(os.getuid() == 0, reason="root may open everything")
def test_device_of_another_user(tmp_path: Path) -> None:
    write(tmp_path, "dev/net/tun", mode=0)
    assert host.device("dev/net/tun", tmp_path) == "denied"


def test_user_name(tmp_path: Path) -> None:
    write(tmp_path, "etc/passwd", "root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n")
    assert host.user_name(1000, tmp_path) == "me"
    assert host.user_name(1001, tmp_path) == ""


def test_subordinate_ids(tmp_path: Path) -> None:
    write(tmp_path, "etc/subuid", "me:100000:65536\n1000:300000:1000\nyou:200000:65536\nbroken\n:1:2\n")
    assert host.subordinate_ids("etc/subuid", "me", 1000, tmp_path) == 66536
    assert host.subordinate_ids("etc/subuid", "", 1002, tmp_path) == 0
    assert host.subordinate_ids("etc/subgid", "me", 1000, tmp_path) == 0


def test_mapping_helper(tmp_path: Path) -> None:
    helpers = {name: str(write(tmp_path, f"usr/bin/{name}")) for name in ("newuidmap", "newgidmap")}
    assert host.mapping_helper({}) == "absent"
    assert host.mapping_helper(helpers) == "no privilege"
    for path in helpers.values():
        Path(path).chmod(0o4755)
    assert host.mapping_helper(helpers) == "usable"


def test_user_namespaces(tmp_path: Path) -> None:
    assert host.user_namespaces(tmp_path) == 1
    write(tmp_path, "proc/sys/user/max_user_namespaces", "0\n")
    assert host.user_namespaces(tmp_path) == 0
    write(tmp_path, "proc/sys/user/max_user_namespaces", "28633\n")
    assert host.user_namespaces(tmp_path) == 28633
    write(tmp_path, "proc/sys/kernel/unprivileged_userns_clone", "0\n")
    assert host.user_namespaces(tmp_path) == 0


def test_programs(tmp_path: Path) -> None:
    write(tmp_path, "usr/bin/crun", mode=0o755)
    write(tmp_path, "usr/lib/podman/netavark", mode=0o755)
    write(tmp_path, "usr/bin/conmon", mode=0o644)  # not executable: not a program
    assert set(host.programs("/ignored", tmp_path)) == {"crun", "netavark"}


def test_programs_on_path_come_first(tmp_path: Path) -> None:
    mine = write(tmp_path, "bin/conmon", mode=0o755)
    assert host.programs(str(mine.parent))["conmon"] == str(mine)


def test_whole_probe_of_an_empty_host(tmp_path: Path) -> None:
    found = host.probe({"PATH": ""}, root=tmp_path)

    assert found.programs == {}
    assert (found.cgroup, found.tun, found.newuidmap) == ("none", "absent", "absent")
    assert not found.sys_resource
    assert not found.systemd


def test_whole_probe_of_a_made_up_host(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/mountinfo", HYBRID)
    write(tmp_path, "proc/self/status", "Name:\tx\nCapEff:\t000001fffeffffff\nNoNewPrivs:\t1\n")
    write(tmp_path, "proc/sys/kernel/pid_max", "4194304\n")
    write(tmp_path, "run/systemd/journal/socket")
    (tmp_path / "run/systemd/system").mkdir()
    found = host.probe({}, root=tmp_path)

    assert found.cgroup == "hybrid"
    assert not found.sys_resource
    assert found.no_new_privileges
    assert found.systemd
    assert found.journald
    assert found.pid_max == 4194304


def test_capability_to_raise_limits(tmp_path: Path) -> None:
    write(tmp_path, "proc/self/status", "CapEff:\t000001ffffffffff\n")
    assert host.probe({}, root=tmp_path).sys_resource


def test_this_host() -> None:
    found = host.probe()

    assert found.uid == os.getuid()
    assert found.rootless == (os.getuid() != 0)
    assert found.kernel > (3, 0)
    assert found.mounts
