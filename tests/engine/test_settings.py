from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podjig.engine import environment, settings, storage
from podjig.engine.choice import Choice
from podjig.engine.containers_conf import ContainersConf, nested
from podjig.engine.host import Host
from podjig.engine.mounts import Mount
from podjig.engine.storage import Store
from podjig.errors import ConfigError

OLD, NEW = (4, 3, 1), (5, 4, 2)
PLAIN = ContainersConf()


def a_host(*installed: str, **facts: Any) -> Host:
    """A host on which nothing is wrong, but for what is said."""
    usual = Host(
        uid=1000,
        user="me",
        kernel=(6, 1),
        cgroup="v2",
        systemd=True,
        journald=True,
        subuids=65536,
        subgids=65536,
        shm_free=1 << 26,
        mounts=(Mount(point="/", kind="ext4"),),
        programs={name: f"/usr/bin/{name}" for name in installed or ("crun", "runc", "slirp4netns", "pasta")},
    )
    return replace(usual, **facts)


def conf(**values: Any) -> ContainersConf:
    """Settings of the user; ``__`` stands for a dot."""
    named = {name.replace("__", "."): value for name, value in values.items()}
    return ContainersConf(table=nested(named), origins=dict.fromkeys(named, "/my/containers.conf"))


def only(choices: list[Choice]) -> tuple[Any, str]:
    (choice,) = choices
    assert choice.why
    return choice.value, choice.origin


class TestRuntime:
    def test_podmans_own_choice(self) -> None:
        assert only(settings.runtime(a_host(), PLAIN)) == ("crun", "default")

    def test_crun_refuses_hybrid_control_groups(self) -> None:
        assert only(settings.runtime(a_host(cgroup="hybrid"), PLAIN)) == ("runc", "chosen")

    def test_hybrid_with_crun_configured(self) -> None:
        own = conf(engine__runtime="crun")
        assert only(settings.runtime(a_host(cgroup="hybrid"), own)) == ("runc", "chosen")

    def test_hybrid_with_crun_alone_is_left_to_the_doctor(self) -> None:
        assert only(settings.runtime(a_host("crun", cgroup="hybrid"), PLAIN)) == ("crun", "default")

    def test_configured_one_is_left_alone(self) -> None:
        assert only(settings.runtime(a_host(), conf(engine__runtime="runc"))) == ("runc", "yours")

    def test_configured_one_is_not_installed(self) -> None:
        (choice,) = settings.runtime(a_host("crun"), conf(engine__runtime="runc"))
        assert (choice.value, choice.origin) == ("crun", "chosen")
        assert "runc is not installed" in choice.why

    def test_configured_by_path(self, tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        mine.touch()
        assert only(settings.runtime(a_host(), conf(engine__runtime=str(mine)))) == (str(mine), "yours")
        assert only(settings.runtime(a_host(), conf(engine__runtime="/no/such"))) == ("crun", "chosen")

    def test_configured_in_the_table_of_runtimes(self, tmp_path: Path) -> None:
        mine = tmp_path / "mine"
        mine.touch()
        own = conf(engine__runtime="special", engine__runtimes__special=[str(mine)])
        assert only(settings.runtime(a_host(), own)) == ("special", "yours")

    def test_none_installed(self) -> None:
        assert settings.runtime(a_host("conmon"), PLAIN) == []


class TestCgroupManager:
    def test_systemd_where_it_can_be_asked(self) -> None:
        assert only(settings.cgroup_manager(a_host(), PLAIN, user_bus=True)) == ("systemd", "default")

    @pytest.mark.parametrize(
        ("facts", "user_bus", "reason"),
        [
            ({"systemd": False}, True, "does not run"),
            ({"cgroup": "hybrid"}, True, "delegates no hybrid"),
            ({}, False, "no systemd session"),
        ],
    )
    def test_cgroupfs_where_it_cannot(self, facts: dict[str, Any], user_bus: bool, reason: str) -> None:
        for own in (PLAIN, conf(engine__cgroup_manager="systemd")):
            (choice,) = settings.cgroup_manager(a_host(**facts), own, user_bus=user_bus)
            assert (choice.value, choice.origin) == ("cgroupfs", "chosen")
            assert reason in choice.why

    def test_root_needs_no_session(self) -> None:
        assert only(settings.cgroup_manager(a_host(uid=0, cgroup="v1"), PLAIN, user_bus=False)) == (
            "systemd",
            "default",
        )

    def test_configured_cgroupfs_is_left_alone(self) -> None:
        own = conf(engine__cgroup_manager="cgroupfs")
        assert only(settings.cgroup_manager(a_host(), own, user_bus=True)) == ("cgroupfs", "yours")


class TestJournal:
    def test_left_alone_where_there_is_one(self) -> None:
        assert settings.events(a_host(), PLAIN) == []
        assert settings.logs(a_host(), PLAIN) == []
        assert only(settings.events(a_host(), conf(engine__events_logger="journald"))) == ("journald", "yours")

    def test_files_where_there_is_none(self) -> None:
        for own in (PLAIN, conf(engine__events_logger="journald", containers__log_driver="journald")):
            assert only(settings.events(a_host(journald=False), own)) == ("file", "chosen")
            assert only(settings.logs(a_host(journald=False), own)) == ("k8s-file", "chosen")

    def test_configured_otherwise(self) -> None:
        assert only(settings.events(a_host(journald=False), conf(engine__events_logger="none"))) == ("none", "yours")


class TestUlimits:
    BOUND: dict[str, Any] = {"nofile": 20000, "nproc": 96365, "pid_max": 32768}  # noqa: RUF012

    def test_root_that_may_not_raise_limits(self) -> None:
        limits = only(settings.ulimits(a_host(uid=0, **self.BOUND), PLAIN))
        assert limits == (["nofile=20000:20000", "nproc=32768:32768"], "chosen")

    def test_nothing_to_do(self) -> None:
        assert settings.ulimits(a_host(uid=0, sys_resource=True, **self.BOUND), PLAIN) == []
        assert settings.ulimits(a_host(uid=0, nofile=-1, nproc=-1), PLAIN) == []
        assert settings.ulimits(a_host(**self.BOUND), PLAIN) == []

    def test_configured_beyond_the_callers(self) -> None:
        own = conf(containers__default_ulimits=["nofile=65536:-1", "core=0:0", "nproc=100"])
        limits = only(settings.ulimits(a_host(**self.BOUND), own))
        assert limits == (["nofile=20000:20000", "core=0:0", "nproc=100"], "chosen")

    def test_configured_within_the_callers(self) -> None:
        own = conf(containers__default_ulimits=["nofile=1024:2048"])
        assert only(settings.ulimits(a_host(**self.BOUND), own)) == (["nofile=1024:2048"], "yours")

    def test_unreadable_entries_are_podmans_to_name(self) -> None:
        own = conf(containers__default_ulimits=["nofile=lots"])
        assert only(settings.ulimits(a_host(**self.BOUND), own)) == (["nofile=lots"], "yours")


class TestNetworkCommand:
    NAME = "network__default_rootless_network_cmd"

    def test_before_podman_5_there_is_one_only(self) -> None:
        assert settings.network_command(a_host("slirp4netns"), PLAIN, OLD) == []

    def test_root_needs_none(self) -> None:
        assert settings.network_command(a_host("slirp4netns", uid=0), PLAIN, NEW) == []

    def test_pasta_missing(self) -> None:
        assert only(settings.network_command(a_host("slirp4netns"), PLAIN, NEW)) == ("slirp4netns", "chosen")

    def test_configured_one_missing(self) -> None:
        own = conf(**{self.NAME: "slirp4netns"})
        assert only(settings.network_command(a_host("pasta"), own, NEW)) == ("pasta", "chosen")
        assert only(settings.network_command(a_host(), own, NEW)) == ("slirp4netns", "yours")

    def test_default(self) -> None:
        assert only(settings.network_command(a_host(), PLAIN, NEW)) == ("pasta", "default")
        assert only(settings.network_command(a_host("crun"), PLAIN, NEW)) == ("pasta", "default")


class TestOthers:
    def test_locks(self) -> None:
        assert settings.locks(a_host(), PLAIN) == []
        assert only(settings.locks(a_host(shm_free=65536), PLAIN)) == ("file", "chosen")
        assert only(settings.locks(a_host(shm_free=0), conf(engine__lock_type="shm"))) == ("shm", "yours")

    def test_exit_command_delay(self) -> None:
        assert only(settings.exit_command_delay(PLAIN)) == (10, "chosen")
        assert only(settings.exit_command_delay(conf(engine__exit_command_delay=0))) == (0, "yours")


class TestStorageDriver:
    def test_existing_store_is_used_as_it_is(self) -> None:
        store = Store(root="/s", driver="vfs", kind="ext4")
        assert only(storage.driver(store, a_host(), OLD)) == ("vfs", "chosen")

    def test_existing_store_against_a_changed_setting(self) -> None:
        store = Store(root="/s", driver="vfs", configured="overlay", origin="/my/storage.conf")
        (choice,) = storage.driver(store, a_host(), OLD)
        assert (choice.value, choice.origin) == ("vfs", "chosen")
        assert "/my/storage.conf" in choice.why

    def test_configured(self) -> None:
        for driver in ("", "btrfs"):
            store = Store(root="/s", driver=driver, configured="btrfs", origin="/my/storage.conf")
            assert only(storage.driver(store, a_host(), OLD)) == ("btrfs", "yours")

    def test_new_store_of_an_old_podman(self) -> None:
        assert only(storage.driver(Store(root="/s", kind="ext4"), a_host(), OLD)) == ("overlay", "chosen")

    def test_new_store_where_podman_does_well_by_itself(self) -> None:
        assert only(storage.driver(Store(root="/s", kind="ext4"), a_host(), NEW)) == ("overlay", "default")
        assert only(storage.driver(Store(root="/s", kind="ext4"), a_host(uid=0), OLD)) == ("overlay", "default")

    @pytest.mark.parametrize(
        ("kind", "kernel", "uid"),
        [("overlay", (6, 1), 1000), ("ext4", (5, 10), 1000), ("tmpfs", (6, 1), 1000), ("overlay", (6, 1), 0)],
    )
    def test_no_native_overlay(self, kind: str, kernel: tuple[int, int], uid: int) -> None:
        store = Store(root="/s", kind=kind)
        fuse = a_host("fuse-overlayfs", kernel=kernel, uid=uid)
        driver, options = storage.driver(store, fuse, OLD)

        assert (driver.value, driver.origin) == ("overlay", "chosen")
        assert (options.name, options.value) == ("STORAGE_OPTS", "overlay.mount_program=/usr/bin/fuse-overlayfs")
        assert only(storage.driver(store, replace(fuse, fuse="denied"), OLD)) == ("vfs", "chosen")
        assert only(storage.driver(store, a_host(kernel=kernel, uid=uid), OLD)) == ("vfs", "chosen")

    def test_tmpfs_of_a_new_kernel(self) -> None:
        store = Store(root="/s", kind="tmpfs")
        assert only(storage.driver(store, a_host(kernel=(6, 6)), OLD)) == ("overlay", "chosen")

    def test_driver_of_a_store(self, tmp_path: Path) -> None:
        assert storage.existing_driver(tmp_path) == ""
        (tmp_path / "overlay-images").mkdir()
        assert storage.existing_driver(tmp_path) == "overlay"
        (tmp_path / "libpod").mkdir()
        (tmp_path / "libpod/bolt_state.db").write_bytes(b"\0...graph-driver-namevfsgraph-root/home\0")
        assert storage.existing_driver(tmp_path) == "vfs"  # the database has the last word

    def test_place_of_the_store(self, tmp_path: Path) -> None:
        def place(**variables: str) -> str:
            environ = {"HOME": "/h", "XDG_CONFIG_HOME": str(tmp_path), **variables}
            return storage.probe(environ, a_host(), root=tmp_path / "root").root

        assert place() == "/h/.local/share/containers/storage"
        assert place(XDG_DATA_HOME="/data") == "/data/containers/storage"
        system = tmp_path / "root/etc/containers/storage.conf"
        system.parent.mkdir(parents=True)
        system.write_text('[storage]\ngraphroot = "/var/lib/x"\nrootless_storage_path = "/big/$USER-$UID"\n')
        assert place() == "/big/me-1000"
        own = tmp_path / "containers/storage.conf"
        own.parent.mkdir()
        own.write_text('[storage]\ndriver = "vfs"\ngraphroot = "/mine"\n')
        assert place() == "/mine"
        assert storage.probe({"XDG_CONFIG_HOME": str(tmp_path)}, a_host(), root=tmp_path / "root").configured == "vfs"


class TestEnvironment:
    def test_a_tests_environment_stays_behind(self) -> None:
        inherited = environment.inherited(
            {
                "HOME": "/h",
                "PATH": "/venv/bin:/usr/bin",
                "CONTAINER_HOST": "tcp://elsewhere:1",
                "LISTEN_FDS": "1",
                "LISTEN_PID": "1",
                "NOTIFY_SOCKET": "/run/x",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "STORAGE_DRIVER": "vfs",
                "HTTPS_PROXY": "http://proxy",
            }
        )
        assert set(inherited) == {"HOME", "PATH", "STORAGE_DRIVER", "HTTPS_PROXY"}
        assert inherited["PATH"].startswith("/venv/bin:/usr/bin:")
        assert "/usr/sbin" in inherited["PATH"].split(":")

    def test_home_of_the_password_database(self) -> None:
        assert environment.inherited({})["HOME"]

    def test_what_makes_a_service_another_one(self) -> None:
        assert environment.distinguishing({"HOME": "/h", "PATH": "/x", "LANG": "C", "TERM": "x"}) == {"HOME": "/h"}

    def test_home_is_left_alone(self, tmp_path: Path) -> None:
        assert only(environment.home({"HOME": str(tmp_path)}, rootless=True)) == (str(tmp_path), "yours")
        assert environment.home({"HOME": "/nonexistent"}, rootless=False) == []

    @pytest.mark.parametrize("home", ["/proc/version/x", "/proc/version", ""])
    def test_home_is_replaced(self, home: str) -> None:
        choices = {choice.name: choice for choice in environment.home({"HOME": home}, rootless=True)}
        assert str(choices["HOME"].value).startswith("/var/tmp/podjig-home-")
        assert choices["HOME"].origin == "chosen"

    @pytest.mark.skipif(os.getuid() == 0, reason="no folder is closed to root")
    def test_home_of_somebody_else(self, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        (closed / "me/.config").mkdir(parents=True)
        closed.chmod(0)
        environ = {"HOME": str(closed / "me"), "XDG_DATA_HOME": str(closed), "XDG_RUNTIME_DIR": str(closed / "run")}
        choices = {
            choice.name: choice.value for choice in settings.choose(a_host(), environ, version=OLD, root=tmp_path)
        }
        closed.chmod(0o700)

        assert choices["HOME"].startswith("/var/tmp/podjig-home-")
        assert choices["XDG_DATA_HOME"] is None
        assert choices["XDG_RUNTIME_DIR"] is None

    def test_runtime_folder(self, tmp_path: Path) -> None:
        assert environment.runtime_folder({}, rootless=True) == []
        assert environment.runtime_folder({"XDG_RUNTIME_DIR": str(tmp_path)}, rootless=True) == []
        for unusable in ("/run/user/0123", "/proc/version"):
            choices = environment.runtime_folder({"XDG_RUNTIME_DIR": unusable}, rootless=True)
            assert only(choices) == (None, "chosen")

    def test_repaired(self) -> None:
        choices = [
            Choice(name="XDG_RUNTIME_DIR", value=None, why="x"),
            Choice(name="STORAGE_DRIVER", value="vfs", why="x"),
            Choice(name="HOME", value="/other", why="x", origin="yours"),
            Choice(name="engine.runtime", value="runc", why="x"),
        ]
        before = {"HOME": "/h", "XDG_RUNTIME_DIR": "/x"}
        assert environment.repaired(before, choices) == {"HOME": "/h", "STORAGE_DRIVER": "vfs"}


class TestPrivateConf:
    CHOICES = (
        Choice(name="engine.runtime", value="runc", why="x"),
        Choice(name="engine.num_locks", value=3, why="x", origin="yours"),
        Choice(name="HOME", value="/x", why="x"),
    )

    def test_all_of_the_users_settings_for_an_old_podman(self) -> None:
        own = conf(engine__num_locks=3, engine__runtime="crun", containers__env=["A=1"])
        table = settings.conf_table(self.CHOICES, own, OLD)

        assert table == {"engine": {"num_locks": 3, "runtime": "runc"}, "containers": {"env": ["A=1"]}}
        assert own.get("engine.runtime") == "crun"  # untouched

    def test_our_changes_alone_for_a_new_one(self) -> None:
        assert settings.conf_table(self.CHOICES, conf(engine__num_locks=3), NEW) == {"engine": {"runtime": "runc"}}


class TestChoose:
    def test_whole(self, tmp_path: Path) -> None:
        environ = {"HOME": str(tmp_path)}
        chosen = {
            choice.name: (choice.value, choice.origin)
            for choice in settings.choose(
                a_host("runc", cgroup="hybrid", systemd=False, journald=False), environ, version=OLD, root=tmp_path
            )
        }
        assert chosen == {
            "HOME": (str(tmp_path), "yours"),
            "engine.runtime": ("runc", "default"),
            "engine.cgroup_manager": ("cgroupfs", "chosen"),
            "engine.events_logger": ("file", "chosen"),
            "containers.log_driver": ("k8s-file", "chosen"),
            "engine.exit_command_delay": (10, "chosen"),
            "STORAGE_DRIVER": ("overlay", "chosen"),
        }

    def test_broken_file_of_the_user(self, tmp_path: Path) -> None:
        path = tmp_path / ".config/containers/storage.conf"
        path.parent.mkdir(parents=True)
        path.write_text("[storage")
        with pytest.raises(ConfigError, match="storage"):
            settings.choose(a_host(), {"HOME": str(tmp_path)}, version=OLD, root=tmp_path)
