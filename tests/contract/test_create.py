from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from podjig.engine.protocol import Engine
from podjig.errors import EngineRequestError, ImageNotFound, MountError, NameInUse
from podjig.spec import Healthcheck, Limits, Mount, Port, Ulimit

Create = Callable[..., str]


def out(engine: Engine, box: str, *command: str, **options: Any) -> str:
    result = engine.exec(box, command, **options)
    assert result.exit_code == 0, result
    return result.stdout.decode().strip()


def test_a_created_container_is_not_running(engine: Engine, create: Create) -> None:
    info = engine.inspect_container(create())
    assert info.state.status == "created"
    assert not info.state.running
    assert not info.state.ended
    assert info.state.started_at is None
    assert info.state.finished_at is None


def test_the_engine_invents_a_name(engine: Engine, create: Create) -> None:
    assert engine.inspect_container(create()).name


def test_it_has_the_name_labels_and_environment_it_was_given(
    engine: Engine, create: Create, unique: str, tiny_image: str
) -> None:
    box = create(name=unique, labels={"contract.a": "b=c"}, env={"GREETING": "hello=world"})
    for key in (box, unique):
        info = engine.inspect_container(key)
        assert info.id == box
        assert info.name == unique
        assert info.image == tiny_image
        assert info.labels["contract.a"] == "b=c"
        assert info.env["GREETING"] == "hello=world"


def test_an_absent_image_is_an_error_and_not_pulled(engine: Engine, create: Create) -> None:
    with pytest.raises(ImageNotFound, match="localhost/podjig/nothing:1"):
        create(image="localhost/podjig/nothing:1")


def test_a_name_in_use_is_an_error(engine: Engine, create: Create, unique: str) -> None:
    create(name=unique)
    with pytest.raises(NameInUse, match=unique):
        create(name=unique)


def test_a_name_that_engines_refuse_is_an_error(engine: Engine, create: Create) -> None:
    with pytest.raises(EngineRequestError, match="no name"):
        create(name="no name")


def test_a_missing_bind_source_is_an_error_before_anything_is_made(
    engine: Engine, create: Create, unique: str, tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(MountError, match="missing"):
        create(name=unique, mounts=(Mount(kind="bind", source=str(missing), target="/x"),))
    assert not missing.exists()
    assert all(container.name != unique for container in engine.list_containers())


def test_ports_are_published_on_loopback_at_free_ports(engine: Engine, create: Create) -> None:
    box = create(ports=(Port(container=80), Port(container=53, protocol="udp")), network_mode=None)
    engine.start_container(box)
    ports = engine.inspect_container(box).ports
    assert set(ports) == {"80/tcp", "53/udp"}
    for (published,) in ports.values():
        assert published.host_ip == "127.0.0.1"
        assert 1024 <= published.host <= 65535


def test_a_host_port_may_be_asked_for(engine: Engine, create: Create) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    box = create(ports=(Port(container=80, host=free),), network_mode=None)
    engine.start_container(box)
    (published,) = engine.inspect_container(box).ports["80/tcp"]
    assert published.host == free


@pytest.mark.needs("processes")
def test_a_published_port_reaches_the_server_inside(engine: Engine, create: Create) -> None:
    server = "while :; do nc -l -p 7000 -e echo hello; done"
    box = create(server, ports=(Port(container=7000),), network_mode=None)
    engine.start_container(box)
    (published,) = engine.inspect_container(box).ports["7000/tcp"]
    received = b""
    deadline = time.monotonic() + 10
    while not received and time.monotonic() < deadline:
        try:  # the proxy accepts before the server listens, and then resets
            with socket.create_connection((published.host_ip, published.host), timeout=5) as connection:
                received = connection.recv(100)
        except ConnectionError:
            time.sleep(0.02)
    assert received == b"hello\n"


@pytest.mark.needs("processes")
def test_what_is_asked_for_is_what_is_inside(engine: Engine, run: Create, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("from the host")
    tmp_path.chmod(0o755)
    box = run(
        entrypoint=("sh", "-c"),
        command=("exec sleep 100",),
        user="0:0",
        workdir="/tmp",
        hostname="inside",
        mounts=(
            Mount(kind="bind", source=str(tmp_path), target="/host", read_only=True),
            Mount(kind="tmpfs", target="/scratch", size=1 << 20),
        ),
        limits=Limits(shm_size=8 << 20, ulimits=(Ulimit(name="nofile", soft=100, hard=200),)),
        extra_hosts={"friend": "192.0.2.7"},
        network_mode=None,
        init=True,
        cap_drop=("chown",),
        read_only=True,
    )
    script = (
        "pwd; hostname; cat /host/note; echo; grep 'open files' /proc/1/limits | awk '{print $4, $5}'; "
        "grep -c 192.0.2.7 /etc/hosts; "  # by the address: Podman may call the container itself friendly_something
        "df -k /scratch | tail -1 | awk '{print $2}'; df -k /dev/shm | tail -1 | awk '{print $2}'; "
        "touch /host/x 2>/dev/null || echo read-only mount; touch /x 2>/dev/null || echo read-only root; "
        "grep NoNewPrivs /proc/1/status"
    )
    assert out(engine, box, "sh", "-c", script).splitlines() == [
        "/tmp", "inside", "from the host", "100 200", "1", "1024", "8192", "read-only mount", "read-only root",
        "NoNewPrivs:\t1",
    ]  # fmt: skip


@pytest.mark.needs("processes")
def test_further_engine_options_are_handed_on(engine: Engine, run: Create) -> None:
    box = run(engine_options={"terminal": True})
    assert out(engine, box, "sh", "-c", "test -t 0 < /proc/1/fd/0 && echo terminal") == "terminal"


@pytest.mark.needs("processes")
def test_image_volumes_become_what_was_chosen(
    engine: Engine, run: Create, tiny_image: str, new_image: str, tmp_path: Path
) -> None:
    from podjig.spec import BuildSpec

    (tmp_path / "Containerfile").write_text(f"FROM {tiny_image}\nVOLUME /data\n")
    list(engine.build_image(BuildSpec(context=tmp_path, tags=(new_image,))))
    kinds = {}
    before = set(engine.list_volumes())
    for choice in ("anonymous", "tmpfs", "ignore"):
        box = run(image=new_image, image_volumes=choice)
        kinds[choice] = out(engine, box, "sh", "-c", "grep -E ' /data ' /proc/mounts | cut -d' ' -f3; true")
        engine.remove_container(box)
    assert kinds["tmpfs"] == "tmpfs"
    assert kinds["ignore"] == ""
    assert kinds["anonymous"] not in ("", "tmpfs")
    assert not [name for name in set(engine.list_volumes()) - before if len(name) == 64]


@pytest.mark.needs("processes")
def test_a_lifetime_ends_the_container_without_a_client(engine: Engine, run: Create) -> None:
    if not engine.capabilities.server_side_lifetime:
        pytest.skip(f"{engine.info.name} {engine.info.version} has no server-side lifetime")
    assert engine.wait_container(run(lifetime=1), timeout=10) != 0


@pytest.mark.needs("processes")
def test_memory_limits_hold_where_the_engine_says_so(engine: Engine, run: Create) -> None:
    if not engine.capabilities.limits:
        pytest.skip("this engine cannot limit memory on this host (rootless without delegated cgroups)")
    box = run(limits=Limits(memory=32 << 20, pids=50, cpus=0.5))
    script = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    assert out(engine, box, "sh", "-c", script) == str(32 << 20)


def test_a_healthcheck_may_be_given(engine: Engine, create: Create) -> None:
    box = create(healthcheck=Healthcheck(command="true"))
    engine.start_container(box)
    assert engine.inspect_container(box).state.health == "starting"
