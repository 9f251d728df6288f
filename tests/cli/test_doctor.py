from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fresh_home import FreshHome
from podjig import __version__
from podjig.cli import main
from podjig.cli.doctor_report import render
from podjig.engine.choice import Choice
from podjig.engine.diagnosis import diagnose
from podjig.engine.finding import Finding
from podjig.engine.host import PROGRAMS, Host
from podjig.engine.log_diagnosis import findings
from podjig.engine.mounts import Mount
from podjig.engine.packages import distribution, install_command
from podjig.engine.storage import Store

HEALTHY = Host(
    uid=1000,
    user="me",
    kernel=(6, 1),
    cgroup="v2",
    systemd=True,
    journald=True,
    subuids=65536,
    subgids=65536,
    sys_resource=False,
    shm_free=1 << 26,
    mounts=(Mount(point="/", kind="ext4"), Mount(point="/proc/sys/fs/binfmt_misc", kind="autofs")),
    programs={name: f"/usr/bin/{name}" for name in PROGRAMS},
)
STORE = Store(root="/s", driver="overlay", configured="overlay", origin="/my/storage.conf", kind="ext4")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[FreshHome]:
    with FreshHome() as home:
        for name in list(os.environ):
            if name.startswith(("PODJIG_", "CONTAINER", "STORAGE_", "DOCKER_")):
                monkeypatch.delenv(name)
        for name, value in home.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PODJIG_ENGINE", "private")
        monkeypatch.chdir(home.home)
        yield home


class TestCommand:
    def test_healthy(self, home: FreshHome, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["doctor"]) == 0
        text = capsys.readouterr().out

        assert "answers (private service" in text
        assert "->  private service" in text
        assert "engine.exit_command_delay = 10" in text
        assert "environment variable PODJIG_ENGINE" in text
        assert "\033[" not in text

    def test_json(self, home: FreshHome, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PODJIG_IMAGE_MAP", "postgres:16=localhost/mine/postgres:17")
        assert main(["doctor", "--format", "json"]) == 0
        report = json.loads(capsys.readouterr().out)

        assert report["healthy"] is True
        assert report["engine"]["address"] == report["service"]["address"]
        assert report["images"] == [{"name": "postgres:16", "replacement": "localhost/mine/postgres:17"}]
        chosen = {setting["name"]: setting for setting in report["settings"]}
        assert chosen["engine.exit_command_delay"]["origin"] == "chosen"
        assert chosen["engine.exit_command_delay"]["why"]

    def test_users_own_setting_is_called_so(self, home: FreshHome, capsys: pytest.CaptureFixture[str]) -> None:
        path = home.configure("containers.conf", "[engine]\nexit_command_delay = 3\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CONTAINERS_CONF", str(path))  # root reads no file in its home
            assert main(["doctor", "--format", "json"]) == 0
        (setting,) = (
            setting
            for setting in json.loads(capsys.readouterr().out)["settings"]
            if setting["name"] == "engine.exit_command_delay"
        )
        assert (setting["value"], setting["origin"], setting["why"]) == (3, "yours", f"set in {path}")

    def test_no_engine(
        self, home: FreshHome, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PODJIG_ENGINE", "unix:///no/such.sock")
        assert main(["doctor"]) == 1
        text = capsys.readouterr().out

        assert "No engine can be used." in text
        assert "unix:///no/such.sock" in text
        assert "absent" in text

    def test_service_that_does_not_start(self, home: FreshHome, capsys: pytest.CaptureFixture[str]) -> None:
        path = home.configure("own.conf", '[engine]\nlock_type = "nonsense"\n')
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CONTAINERS_CONF", str(path))
            assert main(["doctor"]) == 1
        text = capsys.readouterr().out

        assert "unknown lock type nonsense" in text
        assert "yours" in text

    def test_broken_configuration_of_podman(self, home: FreshHome, capsys: pytest.CaptureFixture[str]) -> None:
        path = home.configure("own.conf", "[engine")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CONTAINERS_CONF", str(path))
            assert main(["doctor"]) == 1
        assert f"{path} is not valid TOML" in capsys.readouterr().out

    def test_wrong_setting_of_podjig(
        self, home: FreshHome, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PODJIG_PULL", "sometimes")
        assert main(["doctor"]) == 1
        errors = capsys.readouterr().err

        assert errors.startswith("podjig: setting pull = 'sometimes'")
        assert "Traceback" not in errors

    @pytest.mark.parametrize("arguments", [[], ["nonsense"], ["doctor", "--format", "xml"]])
    def test_wrong_usage(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert "usage: podjig" in capsys.readouterr().err

    def test_help_and_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        for arguments, word in (
            (["--help"], "podjig doctor"),
            (["doctor", "--help"], "exit codes"),
            (["--version"], __version__),
        ):
            with pytest.raises(SystemExit) as caught:
                main(arguments)
            assert caught.value.code == 0
            assert word in capsys.readouterr().out


def problems(
    *, store: Store = STORE, version: tuple[int, ...] = (5, 4), choices: Any = (), **facts: Any
) -> list[Finding]:
    return diagnose(replace(HEALTHY, **facts), store, choices, version=version, root=Path("/nonexistent"))


def without(*programs: str) -> dict[str, Any]:
    return {"programs": {name: path for name, path in HEALTHY.programs.items() if name not in programs}}


class TestDiagnosis:
    def test_nothing_wrong(self) -> None:
        pasta = [Choice(name="network.default_rootless_network_cmd", value="pasta", why="x", origin="default")]
        assert problems(choices=pasta) == []
        assert problems(uid=0, subuids=0, tun="absent") == []

    @pytest.mark.parametrize(
        ("facts", "problem", "severity", "repair"),
        [
            (without("crun", "runc", "kata", "runsc"), "no OCI runtime", "broken", "install crun"),
            ({**without("runc", "kata", "runsc"), "cgroup": "hybrid"}, "hybrid mode, and crun", "broken", "runc"),
            (without("conmon"), "conmon is not installed", "broken", "install conmon"),
            (without("catatonit"), "catatonit", "limited", "install catatonit"),
            (without("slirp4netns"), "slirp4netns is not installed", "limited", "install"),
            (without("netavark"), "netavark", "limited", "install netavark aardvark-dns"),
            (without("aardvark-dns"), "aardvark-dns", "limited", "pod"),
            (without("iptables", "nft"), "iptables", "limited", "install iptables"),
            ({"user_namespaces": 0}, "no user namespaces", "broken", "sysctl"),
            ({"user": ""}, "no entry in the password database", "broken", "/etc/passwd"),
            ({"subuids": 0}, "no subordinate", "limited", "usermod --add-subuids"),
            ({"newuidmap": "absent"}, "newuidmap", "broken", "install shadow-utils"),
            ({"newuidmap": "no privilege"}, "set-uid", "broken", "chmod u+s"),
            ({"no_new_privileges": True}, "no_new_privs", "broken", "no-new-privileges"),
            ({"cgroup": "none"}, "no control groups", "broken", "mount -t cgroup2"),
            ({"cgroup": "hybrid"}, "hybrid mode, which users cannot manage", "note", "unified_cgroup_hierarchy"),
            ({"tun": "denied"}, "/dev/net/tun may not be opened", "limited", "chmod 666 /dev/net/tun"),
            ({"tun": "absent"}, "/dev/net/tun is absent", "limited", "mknod"),
            ({"mounts": (Mount(point="/proc/kcore", kind="tmpfs"),)}, "/proc are hidden", "limited", "unmask=ALL"),
        ],
    )
    def test_from_the_hosts_files(self, facts: dict[str, Any], problem: str, severity: str, repair: str) -> None:
        (finding, *_) = problems(**facts)

        assert problem in finding.problem
        assert finding.severity == severity
        assert repair in finding.repair
        assert finding.effect

    def test_worst_first(self) -> None:
        severities = [finding.severity for finding in problems(cgroup="hybrid", tun="denied", user_namespaces=0)]
        assert severities == ["broken", "limited", "note"]

    def test_store_and_setting_disagree(self) -> None:
        (finding,) = problems(store=replace(STORE, driver="vfs"))
        assert "'overlay', the store is 'vfs'" in finding.problem

    def test_plain_podman_warns(self) -> None:
        (finding,) = problems(store=replace(STORE, configured="", origin=""), version=(4, 3, 1))
        assert finding.severity == "note"
        assert 'driver = "overlay"' in finding.repair

    @pytest.mark.parametrize(
        ("kind", "facts", "repair"),
        [
            ("overlay", without("fuse-overlayfs"), "install fuse-overlayfs"),
            ("overlay", {"fuse": "denied"}, "another file system"),
            ("ext4", {}, "'podman system reset'"),
        ],
    )
    def test_slow_storage(self, kind: str, facts: dict[str, Any], repair: str) -> None:
        store = Store(root="/s", driver="vfs", kind=kind)
        (finding,) = problems(store=store, choices=[Choice(name="STORAGE_DRIVER", value="vfs", why="x")], **facts)
        assert repair in finding.repair

    @pytest.mark.parametrize(
        ("message", "repair"),
        [
            ("cgroups in hybrid mode not supported, drop all controllers from cgroupv2", "install runc"),
            ('Error: default OCI runtime "runc" not found: invalid argument', "containers.conf"),
            ('slirp4netns failed: "open(\\"/dev/net/tun\\"): Permission denied', "chmod 666"),
            ("pasta failed with exit code 1: Failed to open() /dev/net/tun", "chmod 666"),
            ("could not find slirp4netns, the network namespace can't be configured", "install it"),
            ("potentially insufficient UIDs or GIDs available in user namespace", "--add-subuids"),
            ('command required for rootless mode with multiple IDs: exec: "newuidmap"', "uidmap"),
            ("newuidmap: write to uid_map failed: Operation not permitted", "no-new-privileges"),
            ("should have setuid or have filecaps setuid", "chmod u+s"),
            ("newuidmap: Cannot determine your user name.", "/etc/passwd"),
            ('XDG_RUNTIME_DIR directory "/x" is not owned by the current user', "unset XDG_RUNTIME_DIR"),
            ("mkdir /home/x/.local: read-only file system", "set HOME"),
            ('database storage graph driver "vfs" does not match our storage graph driver "overlay"', "driver = 'vfs'"),
            ("'overlay' is not supported over overlayfs, a mount_program is required", "fuse-overlayfs"),
            ('database storage temporary directory (runroot) "/a" does not match our storage "/b"', "XDG_RUNTIME_DIR"),
            ("allocating lock for new container: allocation failed; exceeded num_locks (2048)", "num_locks"),
            ("unexpected fault address: signal SIGBUS: bus error", "lock_type"),
            ("no cgroup mount found in mountinfo", "mount -t cgroup2"),
            ('error mounting "proc" to rootfs at "/proc"', "unmask=ALL"),
            ("cannot clone: No space left on device", "max_user_namespaces"),
            ("cannot clone: Operation not permitted", "seccomp=unconfined"),
            ("could not find a working conmon binary", "install conmon"),
            ("building local pause image: finding pause binary", "install catatonit"),
            ("error setting rlimit type 7: operation not permitted", "ulimit -Hn"),
        ],
    )
    def test_from_podmans_log(self, message: str, repair: str) -> None:
        (finding, *_) = findings(f"some line\n{message}\nanother")

        assert repair in finding.repair
        assert "{" not in finding.problem + finding.repair

    def test_a_quiet_log(self) -> None:
        assert findings('level=warning msg="\\"/\\" is not a shared mount"\n') == []

    @pytest.mark.parametrize(
        ("release", "family", "command"),
        [
            ("ID=debian\n", "debian", "sudo apt-get install -y uidmap passt"),
            ("ID=ubuntu\nID_LIKE=debian\n", "debian", "sudo apt-get install -y uidmap passt"),
            ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "rhel", "sudo dnf install -y shadow-utils passt"),
            ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "suse", "sudo zypper install shadow passt"),
            ("ID=alpine\n", "alpine", "sudo apk add shadow-uidmap passt"),
            ("ID=plan9\n", "", "install shadow-utils passt"),
        ],
    )
    def test_install_command(self, tmp_path: Path, release: str, family: str, command: str) -> None:
        (tmp_path / "etc").mkdir()
        (tmp_path / "etc/os-release").write_text(release)

        assert distribution(tmp_path) == family
        assert install_command(["newuidmap", "pasta", "newgidmap"], root=tmp_path) == command


def test_colors_are_for_terminals() -> None:
    report = {
        "podjig": "1", "python": "3", "system": "Linux", "healthy": False, "probes": [], "settings": [], "images": [],
        "images_origin": "", "config": [], "service": {"log": ""},
        "engine": {"ok": False, "error": "no engine", "hint": "", "logs": "one\ntwo"},
        "findings": [{"problem": "p", "effect": "e", "repair": "r " * 200, "severity": "broken"}],
    }  # fmt: skip
    plain = render(report)

    assert "\033[" not in plain
    assert "  | one\n  | two" in plain
    assert "repair: " + "r " * 200 in plain  # to be copied: never broken up
    assert "\033[31mbroken\033[0m: p" in render(report, color=True)
