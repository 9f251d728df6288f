"""Faults made on purpose: frozen, killed, restarted, slowed down; each is undone."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from container.probing import answers, queues, slowed
from podjig import GenericContainer, LogMessageWaitStrategy, RedisContainer
from podjig.engine.memory import MemoryEngine
from podjig.engine.values import Capabilities
from podjig.errors import CapabilityMissing, ContainerExited, DefinitionError, EngineRequestError, NotStartedError

pytestmark = pytest.mark.also_rootful


def test_a_frozen_server_stops_answering_and_goes_on() -> None:
    with RedisContainer("redis:7.4") as server:
        assert answers(server)
        with server.freeze() as fault:
            assert fault.how in ("signals", "the engine's pause")
            assert server.freeze() is fault
            assert not answers(server, seconds=0.3)
        assert answers(server)
        server.freeze()
        assert not answers(server, seconds=0.3)
        server.thaw()
        server.thaw()
        assert answers(server)


def test_all_its_processes_are_frozen() -> None:
    line = "for one in a b c; do (while :; do echo $one; sleep 0.01; done) & done; sleep 600"
    with GenericContainer("busybox", command=["sh", "-c", line]) as box:

        def counts() -> list[int]:
            written = box.logs().split()
            return [written.count(one) for one in "abc"]

        while 0 in counts():
            pass
        with box.freeze():
            time.sleep(0.2)  # for what was written before to arrive
            before = counts()
            time.sleep(0.2)
            assert counts() == before
        while any(now <= then for now, then in zip(counts(), before, strict=True)):
            pass


def test_a_frozen_one_is_removed_and_asked_to_end() -> None:
    trap = "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done"
    box = GenericContainer("busybox", command=["sh", "-c", trap]).waiting_for(LogMessageWaitStrategy("up"))
    with box:
        box.freeze()
    with box:
        fault = box.freeze()
        box.stop(timeout=20)
    assert not fault.active


def test_a_killed_server_is_restarted_on_the_same_port() -> None:
    with RedisContainer("redis:7.4") as server:
        port = server.get_exposed_port(6379)
        server.kill()
        server.wait(timeout=10)
        assert server.status == "exited"
        with pytest.raises(EngineRequestError):
            server.kill("SIGTERM")
        assert server.restart() is server
        assert server.get_exposed_port(6379) == port
        assert answers(server)
        server.restart(timeout=0)
        assert answers(server)


def test_a_signal_reaches_the_first_process() -> None:
    trap = "trap 'echo caught' USR1; echo up; while :; do sleep 0.05; done"
    with GenericContainer("busybox", command=["sh", "-c", trap]).waiting_for(LogMessageWaitStrategy("up")) as box:
        box.kill("SIGUSR1")
        LogMessageWaitStrategy("caught").with_startup_timeout(10).wait_until_ready(box)


def test_after_a_restart_it_is_waited_for_anew() -> None:
    line = "sleep 0.3; echo ready; sleep 600"
    box = GenericContainer("busybox", command=["sh", "-c", line]).waiting_for(LogMessageWaitStrategy("ready"))
    with box:
        assert box.logs().count("ready") == 1
        box.restart(timeout=0)
        assert box.logs().count("ready") == 2


def test_a_limited_link_is_slow_until_it_is_undone() -> None:
    with GenericContainer("busybox", command="httpd -f -p 80 -h /tmp").with_exposed_ports(80) as server:
        server.copy_into_container(os.urandom(200_000), "/tmp/file")

        def fetch() -> float:
            began = time.monotonic()
            with socket.create_connection(("localhost", server.get_exposed_port(80)), timeout=20) as connection:
                connection.sendall(b"GET /file HTTP/1.0\r\n\r\n")
                while connection.recv(1 << 16):
                    pass
            return time.monotonic() - began

        free = fetch()
        try:
            fault = server.slow_link(rate=2_000_000)
        except CapabilityMissing as error:
            assert "slow down" in error.message  # noqa: PT017  this kernel has no token buckets
            return
        with fault:
            slow = fetch()
        print(f"{free:.3f} s, slowed down {slow:.3f} s")
        assert slow > 3 * free
        assert fetch() < slow


def test_a_second_limit_takes_the_place_of_the_first(box: GenericContainer) -> None:
    with slowed(box, 2_000_000) as first:
        with slowed(box, 1_000_000):
            assert "rate 1Mbit" in queues(box)
            assert "rate 2Mbit" not in queues(box)
        assert "tbf" not in queues(box)
    first, second = slowed(box, 2_000_000), slowed(box, 1_000_000)
    first.undo()
    assert "rate 1Mbit" in queues(box)
    second.undo()
    assert "tbf" not in queues(box)


def test_a_restart_ends_a_limit(box: GenericContainer) -> None:
    with slowed(box, 2_000_000):
        box.restart(timeout=0)
        assert "tbf" not in queues(box)
    with slowed(box, 2_000_000):
        assert "tbf" in queues(box)
    assert "tbf" not in queues(box)


def test_a_limit_of_which_nobody_knows_any_more_holds_nothing(box: GenericContainer) -> None:
    def held() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    slowed(box, 2_000_000).undo()
    before = held()
    for _ in range(3):
        slowed(box, 2_000_000)
    assert held() <= before
    with slowed(box, 1_000_000):
        assert "rate 1Mbit" in queues(box)
    assert "tbf" not in queues(box)


def test_a_frozen_one_that_is_killed_thaws_quietly() -> None:
    with RedisContainer("redis:7.4") as server:
        with server.freeze():
            server.kill()
        assert server.wait(timeout=10) == 137
        with pytest.raises(ContainerExited, match=r"exited.*cannot freeze"):
            server.freeze()
        with pytest.raises(ContainerExited, match="cannot slow down"):
            server.slow_link(rate=1_000_000)


class Version2(MemoryEngine):
    """Pauses as Podman does on control groups version 2: there SIGKILL ends a frozen container at once."""

    def pause_container(self, id: str) -> None:
        self.inspect_container(id)

    def unpause_container(self, id: str) -> None:
        raise EngineRequestError(f'"{id}" is not paused, can\'t unpause: container state improper', status=500)


def test_one_that_a_pausing_engine_kills_while_it_is_frozen_thaws_quietly() -> None:
    engine = Version2(capabilities=Capabilities(pause=True))
    engine.add_image("docker.io/library/in-memory:latest")
    with GenericContainer("in-memory", engine=engine) as box:
        with box.freeze() as fault:
            assert fault.how == "the engine's pause"
            box.kill()
        assert box.status == "exited"


def test_a_lossy_link_works_or_is_refused_with_the_reason() -> None:
    with RedisContainer("redis:7.4") as server:
        try:
            with server.slow_link(delay=0.05, jitter=0.01, loss=0.01) as fault:
                assert fault.how == "tc netem"
                assert answers(server)
        except CapabilityMissing as error:
            assert "tc says" in error.message  # noqa: PT017
            assert "sch_netem" in error.hint  # noqa: PT017
        assert answers(server)


@pytest.mark.parametrize("fields", [{}, {"loss": 2}, {"delay": -1}, {"rate": 0}, {"loss": 0.1, "rate": -5}])
def test_a_link_is_not_slowed_by_nonsense(fields: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        GenericContainer("busybox").slow_link(**fields)


@pytest.mark.parametrize(
    "fault",
    [
        GenericContainer.freeze,
        GenericContainer.kill,
        GenericContainer.restart,
        lambda container: container.slow_link(delay=1),
    ],
    ids=["freeze", "kill", "restart", "slow_link"],
)
def test_faults_need_a_started_container(fault: Callable[[GenericContainer], object]) -> None:
    with pytest.raises(NotStartedError):
        fault(GenericContainer("busybox"))
    GenericContainer("busybox").thaw()
