"""Servers of this machine, that listen on its loopback alone, reached from inside."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from podjig import GenericContainer, LogMessageWaitStrategy, Network, Pod, PortWaitStrategy
from podjig.errors import DefinitionError, PortError, PortInUse

BODY = os.urandom(1 << 20).hex().encode()


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(BODY if self.path == "/large" else b"hello")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


def box() -> GenericContainer:
    return GenericContainer("busybox", command="sleep 600")


def reads(container: GenericContainer, port: int, path: str = "", name: str = "host.containers.internal") -> bytes:
    return container.exec(["timeout", "5", "wget", "-q", "-O", "-", f"http://{name}:{port}/{path}"]).stdout


@pytest.mark.also_rootful
@pytest.mark.parametrize("mode", [None, "none", "host", "bridge"])
def test_it_is_reached_in_every_network_mode(port: int, mode: str | None) -> None:
    container = box().expose_host_port(port)
    if mode is not None:
        container.with_network_mode(mode)
    with container:
        assert reads(container, port) == b"hello"
        assert reads(container, port, name="host.docker.internal") == b"hello"
        assert reads(container, port, "large") == BODY


@pytest.mark.parametrize("internal", [False, True])
def test_it_is_reached_from_a_network_by_those_who_may(port: int, internal: bool) -> None:
    with Network(internal=internal) as network:
        container, other = box().expose_host_port(port).with_network(network), box().with_network(network)
        with container, other:
            assert reads(container, port) == b"hello"
            assert reads(other, port) == b""
            address = container.inspect().networks[network.name]
            assert reads(other, port, name=address) == b""


@pytest.mark.also_rootful
@pytest.mark.parametrize("mode", [None, "none", "host"])
def test_it_is_reached_from_a_pod(port: int, mode: str | None) -> None:
    first, second = box().expose_host_port(port), box()
    with Pod(second, first, network_mode=mode) as pod:
        for name in ("host.containers.internal", "host.docker.internal"):
            assert reads(first, port, name=name) == reads(second, port, name=name) == b"hello"
        # Who restarts finds it still; who comes later shares it.
        second.restart(timeout=0)
        assert reads(second, port) == b"hello"
        assert pod.run("busybox", f"wget -q -O - http://host.containers.internal:{port}/").stdout == b"hello"


@pytest.mark.parametrize("mode", [None, "none", "host"])
def test_it_is_reached_by_who_comes_late_to_a_pod(port: int, mode: str | None) -> None:
    first, late = box(), box().expose_host_port(port)
    job = GenericContainer("busybox", command=f"wget -q -O - http://host.containers.internal:{port}/")
    with Pod(first, network_mode=mode) as pod:
        for _ in range(2):
            assert pod.run(job.clone().expose_host_port(port)).stdout == b"hello"
        if mode != "host":
            assert pod.run(job).exit_code != 0, "a job's way to this machine ends with the job"
            other = GenericContainer("busybox", command="wget -q -O - http://host.containers.internal:81/")
            assert pod.run(other.expose_host_port(port, inside=81)).stdout == b"hello"
        pod.add(late)
        assert reads(late, port) == reads(first, port) == b"hello"


def test_members_that_want_the_same_share_it(port: int) -> None:
    first, second, init = (box().expose_host_port(port) for _ in range(3))
    init.with_command(f"wget -q -O - http://host.containers.internal:{port}/")
    with Pod(first, second).add_init(init):
        assert reads(first, port) == reads(second, port) == b"hello"


def test_it_is_there_for_a_member_that_starts_before_the_one_that_asks(port: int) -> None:
    line = f"wget -q -O - http://host.containers.internal:{port}/; echo; sleep 600"
    first = GenericContainer("busybox", command=["sh", "-c", line]).waiting_for(LogMessageWaitStrategy("hello"))
    with Pod(first).add(box().expose_host_port(port), depends_on=[first]):
        assert "hello" in first.logs()


def test_it_is_reached_from_the_first_moment_and_after_a_restart(port: int) -> None:
    line = f"wget -q -O - http://host.containers.internal:{port}/; echo; sleep 600"
    container = GenericContainer("busybox", command=["sh", "-c", line]).expose_host_port(port)
    container.waiting_for(LogMessageWaitStrategy("hello"))
    with container:
        assert "hello" in container.logs()
    with box().expose_host_port(port) as twin:
        twin.restart(timeout=0)
        assert reads(twin, port) == b"hello"


def test_another_port_inside(port: int) -> None:
    with box().expose_host_port(port, inside=81) as container:
        assert reads(container, 81) == b"hello"
        assert reads(container, port) == b""


def test_a_server_that_does_not_listen_is_as_if_it_were_not_there() -> None:
    with box().expose_host_port(1) as container:
        assert reads(container, 1) == b""


def test_what_cannot_be_is_refused(port: int) -> None:
    with pytest.raises(PortError):
        box().expose_host_port(70000)
    with pytest.raises(PortError, match="two servers"):
        box().expose_host_port(port).expose_host_port(port)
    with pytest.raises(DefinitionError, match="shares a network"):
        box().expose_host_port(port).with_network_mode("container:other").start()
    with pytest.raises(PortError, match="leave out inside="):
        box().expose_host_port(port, inside=81).with_network_mode("host").start()
    with pytest.raises(PortError, match=f"port {port} inside busybox is to be its own"):
        box().expose_host_port(port).with_exposed_ports(port).start()


def test_what_cannot_be_in_a_pod_is_refused_before_it_is_made(port: int) -> None:
    first, second = box().with_network_aliases("one"), box().with_network_aliases("two")
    with pytest.raises(PortError, match=r"two servers .* on port 81: container one .* on 80, container two .* on 82"):
        Pod(first.clone().expose_host_port(80, inside=81), second.clone().expose_host_port(82, inside=81)).start()
    with pytest.raises(PortError, match=f"container one .* port {port} of this machine on port {port}, which a member"):
        Pod(first.clone().expose_host_port(port), second.clone().with_exposed_ports(port)).start()
    with pytest.raises(PortError, match="leave out inside="):
        Pod(first.clone().expose_host_port(80, inside=81), network_mode="host").start()
    with pytest.raises(DefinitionError, match="shares a network by"):
        Pod(first.clone().expose_host_port(80), network_mode="ns:/proc/1/ns/net").start()
    with Pod(second.clone().expose_host_port(80, inside=81)) as pod:
        with pytest.raises(PortError, match="two servers"):
            pod.add(first.clone().expose_host_port(82, inside=81))
        with pytest.raises(PortError, match="two servers"):
            pod.run(first.clone().expose_host_port(82, inside=81), "true")
        assert len(pod.members) == 1


def test_a_port_that_a_program_in_the_pod_has_taken(port: int) -> None:
    busy = GenericContainer("busybox", command=f"httpd -f -p {port}").waiting_for(PortWaitStrategy(port))
    with Pod(busy) as pod, pytest.raises(PortInUse, match="listens on that port"):
        pod.add(box().expose_host_port(port))


def test_nothing_is_left_of_it(port: int) -> None:
    before = threading.active_count()
    with box().expose_host_port(port) as container:
        assert reads(container, port) == b"hello"
        assert threading.active_count() > before
    assert threading.active_count() <= before + 1  # the test server's own, for the request
    with Pod(box().expose_host_port(port)) as pod:
        assert reads(pod.members[0], port) == b"hello"
    assert threading.active_count() <= before + 2
