"""Pods: for engines that have the capability."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from contract.conftest import Tidy
from podjig.engine.protocol import Engine
from podjig.errors import ContainerStartError, EngineRequestError, NameInUse, PortInUse, ResourceNotFound
from podjig.spec import PodSpec, Port

Create = Callable[..., str]
MakePod = Callable[[PodSpec], str]


@pytest.fixture
def make_pod(engine: Engine, tidy: Tidy) -> MakePod:
    if not engine.capabilities.pods:
        pytest.skip("this engine has no pods")

    def make(spec: PodSpec) -> str:
        made = engine.create_pod(spec)
        tidy.pods.append(made)
        return made

    return make


def test_a_pod_lists_its_members_and_goes_with_them(
    engine: Engine, make_pod: MakePod, create: Create, unique: str
) -> None:
    pod = make_pod(PodSpec(name=unique, labels={"contract.test": unique}))
    info = engine.inspect_pod(pod)
    assert (info.id, info.name, info.containers) == (pod, unique, ())
    assert info.labels["contract.test"] == unique
    first, second = (create(pod=pod, network_mode=None) for _ in range(2))
    engine.start_container(first)
    engine.start_container(second)
    info = engine.inspect_pod(unique)
    assert set(info.containers) == {first, second}
    assert info.status == "running"
    engine.remove_pod(pod)
    for container in (first, second):
        with pytest.raises(ResourceNotFound):
            engine.inspect_container(container)
    with pytest.raises(ResourceNotFound):
        engine.inspect_pod(pod)
    engine.remove_pod(pod)


def test_a_member_that_ended_degrades_it(engine: Engine, make_pod: MakePod, create: Create) -> None:
    pod = make_pod(PodSpec())
    server, job = create(pod=pod, network_mode=None), create("exit 3", pod=pod, network_mode=None)
    engine.start_container(server)
    engine.start_container(job)
    assert engine.wait_container(job, timeout=20) == 3
    assert engine.inspect_pod(pod).status == "degraded"
    engine.remove_container(job)
    assert engine.inspect_pod(pod).containers == (server,)


def test_ports_are_known_before_any_member_starts(engine: Engine, make_pod: MakePod) -> None:
    pod = make_pod(PodSpec(ports=(Port(container=80), Port(container=53, protocol="udp"))))
    ports = engine.inspect_pod(pod).ports
    assert ports.keys() == {"80/tcp", "53/udp"}
    assert all(where.host_ip == "127.0.0.1" and where.host > 0 for (where,) in ports.values())


def test_a_name_is_taken_once(engine: Engine, make_pod: MakePod, unique: str) -> None:
    make_pod(PodSpec(name=unique))
    with pytest.raises(NameInUse, match=unique):
        make_pod(PodSpec(name=unique))


def test_a_pod_that_is_not_there(engine: Engine, create: Create, make_pod: MakePod) -> None:
    engine.remove_pod("no-such-pod")
    with pytest.raises(ResourceNotFound, match="no-such-pod"):
        engine.inspect_pod("no-such-pod")
    with pytest.raises(EngineRequestError, match="no-such-pod"):
        create(pod="no-such-pod", network_mode=None)


def test_a_busy_host_port_is_told_at_creation_or_start(engine: Engine, make_pod: MakePod, create: Create) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = Port(container=80, host=free.getsockname()[1])
    first = make_pod(PodSpec(ports=(port,)))
    engine.start_container(create(pod=first, network_mode=None))
    with pytest.raises(PortInUse, match=str(port.host)):  # noqa: PT012  either of the two calls
        second = make_pod(PodSpec(ports=(port,)))
        engine.start_container(create(pod=second, network_mode=None))


@pytest.mark.needs("processes")
def test_members_share_localhost_hosts_and_host_name(engine: Engine, make_pod: MakePod, create: Create) -> None:
    pod = make_pod(PodSpec(hostname="jig", extra_hosts={"friend": "127.0.0.1"}))
    serve = "mkdir /w; echo hi > /w/index.html; exec httpd -f -p 8000 -h /w"
    server, client = create(serve, pod=pod, network_mode=None), create(pod=pod, network_mode=None)
    engine.start_container(server)
    engine.start_container(client)
    fetch = "for i in 1 2 3 4 5; do wget -qO- http://friend:8000 && break; sleep 0.2; done; hostname"
    assert engine.exec(client, ["sh", "-c", fetch]).stdout == b"hi\njig\n"


@pytest.mark.needs("processes")
def test_a_member_that_cannot_start_says_why(engine: Engine, make_pod: MakePod, create: Create) -> None:
    pod = make_pod(PodSpec())
    with pytest.raises(ContainerStartError, match="no-such-program"):
        engine.start_container(create(command=("no-such-program",), pod=pod, network_mode=None))
