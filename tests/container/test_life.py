"""Start, readiness, failure and removal of real containers."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from podjig import GenericContainer, LogMessageWaitStrategy
from podjig.container.addresses import Addresses
from podjig.engine.protocol import Engine
from podjig.errors import (
    AlreadyStartedError,
    ContainerExited,
    ContainerStartError,
    ImageNotFound,
    MountError,
    NameInUse,
    NotStartedError,
    PodjigError,
    PortError,
    PortInUse,
    WaitTimeout,
)
from podjig.wait.function import FunctionWaitStrategy

UNIQUE = f"podjig-test-{os.getpid()}"


def names(engine: Engine) -> list[str]:
    return [container.name for container in engine.list_containers()]


def label(value: str) -> dict[str, str]:
    return {"podjig-test": f"{UNIQUE}-{value}"}


def left(engine: Engine, value: str) -> list[str]:
    return [container.name for container in engine.list_containers(labels=label(value))]


def test_start_use_stop(engine: Engine) -> None:
    container = GenericContainer("busybox", command="sleep 600").with_labels(label("life"))
    assert container.status == "not_started"
    with container as started:
        assert started is container
        assert started.status == "running"
        assert left(engine, "life")
    assert container.status == "not_started"
    assert left(engine, "life") == []


def test_stop_twice_is_quiet_and_a_stopped_one_starts_again(engine: Engine) -> None:
    container = GenericContainer("busybox", command="sleep 600").with_labels(label("again"))
    container.start()
    first = container.id
    container.stop()
    container.stop()
    container.start()
    assert container.id != first
    container.stop()
    assert left(engine, "again") == []


def test_start_twice_is_an_error_and_leaves_the_first(engine: Engine) -> None:
    with GenericContainer("busybox", command="sleep 600") as container:
        with pytest.raises(AlreadyStartedError, match="is started"):
            container.start()
        assert container.status == "running"


def test_a_stop_with_a_timeout_lets_it_end_by_itself(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    script = "trap 'echo bye > /out/last; exit 0' TERM; echo up; while :; do sleep 0.05; done"
    container = (
        GenericContainer("busybox", command=["sh", "-c", script])
        .with_volume_mapping(tmp_path, "/out", "rw")
        .waiting_for(LogMessageWaitStrategy("up"))
    )
    container.start()
    container.stop(timeout=5)
    assert (tmp_path / "last").read_text(encoding="utf-8") == "bye\n"


@pytest.mark.parametrize("code", [0, 3])
def test_an_early_exit_ends_the_wait_with_code_and_log(engine: Engine, code: int) -> None:
    container = (
        GenericContainer("busybox", command=["sh", "-c", f"echo last words; exit {code}"])
        .waiting_for(LogMessageWaitStrategy("never said"))
        .with_labels(label(f"exit{code}"))
    )
    with pytest.raises(ContainerExited) as caught:
        container.start()
    assert caught.value.exit_code == code
    assert f"exited with code {code} after" in caught.value.message
    assert "last words" in str(caught.value)
    assert left(engine, f"exit{code}") == []


def test_a_kill_is_noticed_while_waiting(engine: Engine) -> None:
    container = (
        GenericContainer("busybox", command="sleep 600")
        .with_name(f"{UNIQUE}-killed")
        .waiting_for(LogMessageWaitStrategy("never said"))
    )
    killed_at: list[float] = []

    def kill() -> None:
        while f"{UNIQUE}-killed" not in names(engine):
            time.sleep(0.01)
        while engine.inspect_container(f"{UNIQUE}-killed").state.status != "running":
            time.sleep(0.01)
        killed_at.append(time.monotonic())
        engine.kill_container(f"{UNIQUE}-killed", "SIGKILL")

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ContainerExited) as caught:
        container.start()
    noticed = time.monotonic() - killed_at[0]
    killer.join()
    assert caught.value.exit_code == 128 + signal.SIGKILL
    assert "waited for 'never said' in the log" in caught.value.message
    print(f"noticed {noticed:.3f} s after the kill")
    assert f"{UNIQUE}-killed" not in names(engine)


def test_never_ready_says_what_was_missing_and_what_it_wrote(engine: Engine) -> None:
    container = (
        GenericContainer("busybox", command=["sh", "-c", "echo half way; sleep 600"])
        .waiting_for(LogMessageWaitStrategy("ready", times=2))
        .with_startup_timeout(0.5)
        .with_labels(label("never"))
    )
    with pytest.raises(WaitTimeout) as caught:
        container.start()
    assert "waited for 'ready' 2 times in the log; found it 0 of 2 times" in caught.value.message
    assert "half way" in caught.value.logs
    assert isinstance(caught.value, TimeoutError)
    assert left(engine, "never") == []


def test_an_interrupt_while_waiting_leaves_nothing(engine: Engine) -> None:
    def interrupt(_: object) -> bool:
        raise KeyboardInterrupt

    container = GenericContainer("busybox", command="sleep 600").waiting_for(interrupt).with_labels(label("interrupt"))
    with pytest.raises(KeyboardInterrupt):
        container.start()
    assert left(engine, "interrupt") == []


def test_an_absent_image_without_a_registry_names_it() -> None:
    container = GenericContainer("localhost/podjig/no-such-image:1")
    with pytest.raises(ImageNotFound) as caught:
        container.start()
    assert "localhost/podjig/no-such-image:1" in caught.value.message
    assert caught.value.hint


def test_pull_never_does_not_pull() -> None:
    container = GenericContainer("registry.invalid/nothing:1").with_pull_policy("never")
    with pytest.raises(ImageNotFound, match="pull policy is 'never'"):
        container.start()


def test_a_busy_host_port_is_named(engine: Engine) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        container = (
            GenericContainer("busybox", command="sleep 600").with_bind_ports(80, port).with_labels(label("busy"))
        )
        with pytest.raises(PortInUse, match=str(port)):
            container.start()
    assert left(engine, "busy") == []


@pytest.mark.parametrize("times", [2, 99])
def test_a_port_that_is_taken_after_the_engine_chose_it_is_chosen_anew(engine: Engine, times: int) -> None:
    chosen: list[int] = []
    with contextlib.ExitStack() as taken:

        def take(found: Addresses) -> str:
            chosen.append(found.ports["80/tcp"])
            if len(chosen) <= times:
                taken.enter_context(socket.create_server(("127.0.0.1", chosen[-1])))
            return str(chosen[-1])

        box = GenericContainer("busybox", command="httpd -f -p 80").with_exposed_ports(80)
        box.with_labels(label("unlucky"))
        box.with_address_file("/etc/port", take)
        if times == 99:
            with pytest.raises(PortInUse):
                box.start()
        else:
            with box:
                assert box.get_exposed_port(80) == chosen[-1]
                assert box.exec("cat /etc/port").stdout.decode() == str(chosen[-1])
                assert len(left(engine, "unlucky")) == 1
    assert len(chosen) == 3
    assert left(engine, "unlucky") == []


def test_a_name_in_use_is_named(engine: Engine) -> None:
    name = f"{UNIQUE}-name"
    with GenericContainer("busybox", command="sleep 600", name=name):
        with pytest.raises(NameInUse, match=name):
            GenericContainer("busybox", command="sleep 600", name=name).start()
        assert name in names(engine)


def test_a_missing_bind_source_is_named(engine: Engine) -> None:
    container = (
        GenericContainer("busybox", command="sleep 600")
        .with_volume_mapping("/no/such/folder", "/data")
        .with_labels(label("bind"))
    )
    with pytest.raises(MountError, match="/no/such/folder"):
        container.start()
    assert left(engine, "bind") == []


def test_an_unknown_program_is_named(engine: Engine) -> None:
    container = GenericContainer("busybox", command="no-such-program").with_labels(label("program"))
    with pytest.raises(ContainerStartError, match="no-such-program"):
        container.start()
    assert left(engine, "program") == []


def test_what_needs_a_started_container_says_so() -> None:
    container = GenericContainer("busybox").with_exposed_ports(80)
    for use in (
        lambda: container.get_exposed_port(80),
        container.get_logs,
        lambda: container.exec("true"),
        container.get_container_host_ip,
        container.get_container_id,
        lambda: container.copy_into_container(b"", "/x"),
    ):
        with pytest.raises(NotStartedError, match="the container of busybox is not started"):
            use()


def test_an_unpublished_port_is_named_with_those_published() -> None:
    container = GenericContainer("busybox", command="httpd -f -p 80").with_exposed_ports(80)
    with container, pytest.raises(PortError, match=r"port 81/tcp of .* is not published \(published: 80/tcp\)"):
        container.get_exposed_port(81)


def listening_addresses(port: int) -> set[str]:
    """The addresses of this machine on which anybody listens on a port, as the kernel tells."""
    found = set()
    for table, size in (("tcp", 4), ("tcp6", 16)):
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            address, _, number = fields[1].rpartition(":")
            if int(number, 16) == port and fields[3] == "0A":
                words = [int(address[at : at + 8], 16) for at in range(0, 2 * size, 8)]
                packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
                found.add(str(ipaddress.ip_address(packed)))
    return found


def test_published_ports_listen_on_loopback_only() -> None:
    with GenericContainer("busybox", command="httpd -f -p 80").with_exposed_ports(80) as container:
        port = container.get_exposed_port(80)
        (where,) = container.inspect().ports["80/tcp"]
        assert (where.host_ip, where.host) == ("127.0.0.1", port)
        with socket.create_connection((container.get_container_host_ip(), port), timeout=5):
            pass
        assert listening_addresses(port) == {"127.0.0.1"}


def test_a_udp_port_carries_datagrams() -> None:
    echo = '$s = IO::Socket::INET->new(LocalPort => 9999, Proto => "udp"); while ($s->recv($m, 99)) { $s->send($m) }'
    command = ["perl", "-MIO::Socket::INET", "-e", echo]  # every Debian-based image has perl-base
    server = GenericContainer("redis:7.4", command=command).with_exposed_ports("9999/udp")
    with server as container, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.2)
        client.connect(("127.0.0.1", container.get_exposed_port("9999/udp")))

        def echoed(_: object) -> bool:
            client.send(b"a datagram")
            return client.recv(99) == b"a datagram"

        FunctionWaitStrategy(echoed).with_startup_timeout(10).wait_until_ready(container)


def test_a_one_shot_job_gives_its_exit_code() -> None:
    with GenericContainer("busybox", command=["sh", "-c", "exit 7"]) as job:
        assert job.wait(timeout=10) == 7


def test_a_failed_start_can_be_repeated() -> None:
    tries = iter([False, True])

    def ready(_: object) -> bool:
        if not next(tries):
            raise PodjigError("the first try fails")
        return True

    container = GenericContainer("busybox", command="sleep 600").waiting_for(ready)
    with pytest.raises(PodjigError, match="the first try fails"):
        container.start()
    container.start()
    container.stop()


def test_a_port_in_the_machines_own_network() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    web = GenericContainer("busybox", command=f"httpd -f -p {port} -h /etc").with_network_mode("host")
    with web.with_exposed_ports(port):
        assert web.get_exposed_port(port) == port
        with urllib.request.urlopen(f"http://localhost:{port}/hostname", timeout=10) as answer:
            assert answer.status == 200
        with pytest.raises(PortError, match="is not published"):
            web.get_exposed_port(port - 1)
    nowhere = GenericContainer("busybox", command=f"httpd -f -p {port}").with_network_mode("none")
    with nowhere.with_exposed_ports(port), pytest.raises(PortError, match="network mode 'none' publishes none"):
        nowhere.get_exposed_port(port)
