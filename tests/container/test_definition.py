"""The builder: what it says to the engine, and what it refuses. No container is started here."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from podjig import DockerContainer, GenericContainer
from podjig.errors import DefinitionError, ImageNameError, MountError, PortError
from podjig.spec import Healthcheck, Port, Ulimit


def box() -> GenericContainer:
    return GenericContainer("busybox")


def test_constructing_does_no_io(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AssertionError("an engine was asked for")

    monkeypatch.setattr("podjig.container.generic.current_engine", refuse)
    container = GenericContainer(
        "busybox", command="sleep 5", env={"A": "1"}, name="x", ports=[80], volumes=[("/etc", "/e", "ro")]
    )
    spec = container.spec()
    assert spec.command == ("sleep", "5")
    assert spec.env == {"A": "1"}
    assert spec.name == "x"
    assert spec.ports == (Port(container=80),)
    assert spec.mounts[0].read_only


def test_migrating_users_find_their_name() -> None:
    assert DockerContainer is GenericContainer


def test_every_method_returns_the_container() -> None:
    container = box()
    assert (
        container.with_command("a")
        .with_entrypoint(["/bin/sh", "-c"])
        .with_env("A", 1)
        .with_envs(B="2")
        .with_user(1000)
        .with_working_dir("/tmp")
        .with_hostname("h")
        .with_labels({"x.y": "1"}, z="2")
        .with_init()
        .with_platform("linux/amd64")
        .with_pull_policy("never")
        .with_memory_limit("64m")
        .with_cpu_limit(0.5)
        .with_pids_limit(50)
        .with_shm_size("1m")
        .with_ulimit("nofile", 100, 200)
        .with_privileges(cap_add=["NET_ADMIN"])
        .with_exposed_ports(80, "53/udp")
        .with_bind_ports(81, 8081)
        .with_network("n")
        .with_network_aliases("a", "b")
        .with_extra_host("other", "10.0.0.1")
        .with_volume_mapping("data", "/data", "rw")
        .with_tmpfs_mount("/t", "1m")
        .with_copy_into_container(b"x", "/x")
        .with_healthcheck("true", timeout=timedelta(seconds=2))
        .with_startup_timeout(3)
        .with_kwargs(privileged=True)
        is container
    )
    spec = container.spec()
    assert spec.entrypoint == ("/bin/sh", "-c")
    assert spec.env == {"A": "1", "B": "2"}
    assert (spec.user, spec.workdir, spec.hostname, spec.init) == ("1000", "/tmp", "h", True)
    assert spec.labels == {"x.y": "1", "z": "2"}
    assert (spec.limits.memory, spec.limits.cpus, spec.limits.pids, spec.limits.shm_size) == (
        64 << 20,
        0.5,
        50,
        1 << 20,
    )
    assert spec.limits.ulimits == (Ulimit(name="nofile", soft=100, hard=200),)
    assert [str(port) for port in spec.ports] == ["80/tcp", "53/udp", "81/tcp"]
    assert spec.ports[2].host == 8081
    assert spec.networks[0].aliases == ("a", "b")
    assert [mount.kind for mount in spec.mounts] == ["volume", "tmpfs"]
    assert spec.healthcheck == Healthcheck(command="true", timeout=2.0)
    assert spec.privileged


def test_ports_are_published_on_loopback_only() -> None:
    spec = box().with_exposed_ports(80).with_bind_ports(81, 8081).spec()
    assert {port.host_ip for port in spec.ports} == {"127.0.0.1"}


def test_commands_are_split_as_a_shell_would_and_lists_stay() -> None:
    assert box().with_command("sh -c 'echo \"$A b\"'").spec().command == ("sh", "-c", 'echo "$A b"')
    assert box().with_command(["echo", "a b"]).spec().command == ("echo", "a b")


def test_an_exposed_port_may_be_bound_later() -> None:
    (port,) = box().with_exposed_ports(80).with_bind_ports(80, 8080).spec().ports
    assert port.host == 8080


def test_volume_sources_are_paths_or_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mounts = (
        box()
        .with_volume_mapping("cache", "/a")
        .with_volume_mapping("./here", "/b")
        .with_volume_mapping(Path("there"), "/c", "rw,Z")
        .spec()
        .mounts
    )
    assert [(mount.kind, mount.source, mount.read_only) for mount in mounts] == [
        ("volume", "cache", True),
        ("bind", str(tmp_path / "here"), True),
        ("bind", str(tmp_path / "there"), False),
    ]
    assert mounts[2].options == ("Z",)


def test_docker_py_keywords_are_understood_and_others_reach_the_engine() -> None:
    spec = GenericContainer(
        "busybox",
        mem_limit="1g",
        environment={"A": "1"},
        tmpfs={"/t": "size=1m"},
        extra_hosts={"h": "10.0.0.2"},
        working_dir="/w",
        detach=True,
        hostusers=["me"],
    ).spec()
    assert spec.limits.memory == 1 << 30
    assert spec.env == {"A": "1"}
    assert spec.mounts[0].size == 1 << 20
    assert spec.extra_hosts == {"h": "10.0.0.2"}
    assert spec.workdir == "/w"
    assert spec.engine_options == {"hostusers": ["me"]}


def test_a_clone_is_independent() -> None:
    first = box().with_env("A", "1")
    second = first.clone().with_env("B", "2").with_exposed_ports(80)
    assert first.spec().env == {"A": "1"}
    assert first.spec().ports == ()
    assert second.spec().env == {"A": "1", "B": "2"}


def test_env_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROM_HERE", "here")
    file = tmp_path / "env"
    file.write_text("# comment\n\nA=1\nexport B='two words'\nC=a=b\nD=\nFROM_HERE\n", encoding="utf-8")
    assert box().with_env_file(file).spec().env == {
        "A": "1",
        "B": "two words",
        "C": "a=b",
        "D": "",
        "FROM_HERE": "here",
    }


BAD: list[tuple[str, Any, type[Exception], str]] = [
    ("image", lambda: GenericContainer("Not An Image"), ImageNameError, "'Not An Image'"),
    ("env None", lambda: box().with_env("A", None), DefinitionError, "variable A has the value None"),  # type: ignore[arg-type]
    ("env bool", lambda: box().with_env("A", True), DefinitionError, "variable A has the value True"),
    ("env key", lambda: box().with_env("A=B", "x"), DefinitionError, "'A=B'"),
    (
        "env of constructor",
        lambda: GenericContainer("busybox", env={"A": None}),  # type: ignore[dict-item]
        DefinitionError,
        "A has the value None",
    ),
    ("port range", lambda: box().with_exposed_ports(70000), PortError, "70000"),
    ("port zero", lambda: box().with_exposed_ports(0), PortError, "0"),
    ("port text", lambda: box().with_exposed_ports("http"), PortError, "'http'"),
    ("port protocol", lambda: box().with_exposed_ports("80/sctp"), PortError, "'sctp'"),
    ("port twice", lambda: box().with_exposed_ports(80, 80), PortError, "80/tcp of busybox is given twice"),
    ("bound twice", lambda: box().with_bind_ports(80, 1).with_bind_ports(80, 2), PortError, "bound twice"),
    ("host port twice", lambda: box().with_bind_ports(80, 1).with_bind_ports(81, 1), PortError, "host port 1 is given"),
    ("volume mode", lambda: box().with_volume_mapping("/etc", "/e", "rx"), MountError, "'rx'"),
    ("volume both", lambda: box().with_volume_mapping("/etc", "/e", "ro,rw"), MountError, "'ro,rw'"),
    ("volume target", lambda: box().with_volume_mapping("/etc", "e"), MountError, "'e' is not an absolute path"),
    ("volume source", lambda: box().with_volume_mapping("", "/e"), MountError, "has no source"),
    ("mount twice", lambda: box().with_tmpfs_mount("/t").with_tmpfs_mount("/t"), MountError, "two mounts on '/t'"),
    ("tmpfs size", lambda: box().with_tmpfs_mount("/t", "lots"), DefinitionError, "'lots'"),
    ("memory", lambda: box().with_memory_limit("-1"), DefinitionError, "'-1'"),
    ("cpus", lambda: box().with_cpu_limit(0), DefinitionError, "0"),
    ("ulimit", lambda: box().with_ulimit("nofile", 200, 100), DefinitionError, "nofile=200:100"),
    ("platform", lambda: box().with_platform("arm64"), DefinitionError, "'arm64'"),
    ("pull policy", lambda: box().with_pull_policy("often"), DefinitionError, "'often'"),
    ("timeout", lambda: box().with_startup_timeout(-1), DefinitionError, "-1"),
    ("timeout text", lambda: box().with_startup_timeout("1"), DefinitionError, "'1'"),  # type: ignore[arg-type]
    ("command", lambda: box().with_command("echo 'x"), DefinitionError, "cannot be split"),
    ("command part", lambda: box().with_command(["sleep", 5]), DefinitionError, "5 is not a string"),  # type: ignore[list-item]
    ("network", lambda: box().with_network(None), DefinitionError, "None is neither a network"),
    ("wait", lambda: box().waiting_for("ready"), DefinitionError, "'ready' is neither a wait strategy"),  # type: ignore[arg-type]
    ("keyword", lambda: box().with_kwargs(volumes=["/a:/b"]), DefinitionError, "volumes=['/a:/b']"),
    ("name", lambda: box().with_name(""), DefinitionError, "''"),
]


@pytest.mark.parametrize(("make", "error", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_values_are_refused_at_once_and_named(make: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert says in str(caught.value)


@pytest.mark.parametrize("line", ["A B=1", "=x", "NOT_SET_ANYWHERE"])
def test_a_malformed_env_file_names_file_and_line(tmp_path: Path, line: str) -> None:
    file = tmp_path / "env"
    file.write_text(f"A=1\n{line}\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match=f"{file}:2"):
        box().with_env_file(file)


def test_a_missing_env_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="absent.env"):
        box().with_env_file(tmp_path / "absent.env")
