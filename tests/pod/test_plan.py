"""What is checked before anything is made, on the engine in memory."""

from __future__ import annotations

import pytest

from podjig import GenericContainer, Network, Pod, PostgresContainer, RedisContainer
from podjig.engine.memory import MemoryEngine, Script
from podjig.errors import AlreadyStartedError, DefinitionError
from podjig.image.store import resolve


@pytest.fixture
def memory() -> MemoryEngine:
    engine = MemoryEngine()
    engine.add_image(resolve("busybox"), script=Script())
    return engine


def box(*aliases: str) -> GenericContainer:
    return GenericContainer("busybox").with_network_aliases(*aliases).waiting_for(lambda _: True)


def refused(pod: Pod) -> str:
    with pytest.raises((DefinitionError, AlreadyStartedError)) as caught:
        pod.start()
    assert not pod.started
    return str(caught.value)


def test_a_pod_in_memory(memory: MemoryEngine) -> None:
    web, other = box("web").with_exposed_ports(80), box("other")
    with Pod(web, other, engine=memory) as pod:
        assert web.get_exposed_port(80) >= 40000
        assert memory.inspect_pod(pod.id).status == "running"
    assert memory.list_containers() == []


def test_a_port_clash_names_both_and_the_ways_out(memory: MemoryEngine) -> None:
    text = refused(Pod(PostgresContainer("postgres:16"), PostgresContainer("postgres:15"), engine=memory))
    assert "postgres:16" in text
    assert "postgres:15" in text
    assert "5432/tcp" in text
    assert "with_port(5433)" in text
    assert "different pods" in text


def test_a_clash_of_host_ports(memory: MemoryEngine) -> None:
    text = refused(Pod(box("a").with_bind_ports(80, 8080), box("b").with_bind_ports(81, 8080), engine=memory))
    assert "port 8080 of the host" in text


def test_ports_in_a_mode_that_publishes_none(memory: MemoryEngine) -> None:
    text = refused(Pod(box("a").with_exposed_ports(80), RedisContainer("redis:7.4"), network_mode="none"))
    assert "80/tcp of container a (busybox), 6379/tcp of the container of redis:7.4" in text
    assert "network_mode 'host'" in text
    assert "8080" not in refused(Pod(box("a").with_bind_ports(80, 8080), network_mode="host", engine=memory))
    with Pod(box("a").with_bind_ports(80, 80), network_mode="host", engine=memory) as pod:
        assert pod.members[0].get_exposed_port(80) == 80


def test_the_same_port_on_tcp_and_udp_is_no_clash(memory: MemoryEngine) -> None:
    with Pod(box().with_exposed_ports("53/tcp"), box().with_exposed_ports("53/udp"), engine=memory):
        pass


def test_a_circle_is_shown(memory: MemoryEngine) -> None:
    first, second, third = (box(name).with_name(name) for name in ("one", "two", "three"))
    pod = Pod(engine=memory).add(first, depends_on=[second]).add(second, depends_on=["three"])
    text = refused(pod.add(third, depends_on=["one"]))
    assert (
        "in a circle: container one (busybox) -> container two (busybox) -> container three (busybox) -> container one"
        in text
    )


def test_strangers_and_unknown_names(memory: MemoryEngine) -> None:
    assert "depends on container b (busybox), which is not in the pod" in refused(
        Pod(engine=memory).add(box("a"), depends_on=[box("b")])
    )
    text = refused(Pod(engine=memory).add(box("a"), depends_on=["nobody"]))
    assert "depends on 'nobody', which is not in the pod" in text
    assert "names in it: a, busybox" in text


def test_an_init_container_cannot_be_depended_on(memory: MemoryEngine) -> None:
    init = box("init")
    assert "not in the pod" in refused(Pod(engine=memory).add_init(init).add(box("main"), depends_on=[init]))


@pytest.mark.parametrize("alias", ["under_score", "-dash", "", "a..b", "x" * 64, "ümlaut", "10.0.0.5"])
def test_an_alias_that_is_no_host_name(memory: MemoryEngine, alias: str) -> None:
    with pytest.raises(DefinitionError, match="is not a host name|alias"):
        Pod(GenericContainer("busybox").with_network_aliases(alias), engine=memory).start()


def test_two_claim_a_name(memory: MemoryEngine) -> None:
    text = refused(Pod(box("db"), RedisContainer("redis:7.4").with_network_aliases("db"), engine=memory))
    assert "claim the name 'db'" in text
    assert "busybox" in text
    assert "redis:7.4" in text


def test_the_same_member_twice(memory: MemoryEngine) -> None:
    one = box()
    with pytest.raises(DefinitionError, match="in the pod twice"):
        Pod(one, one, engine=memory)
    with pytest.raises(DefinitionError, match="is not a container"):
        Pod("busybox", engine=memory)  # type: ignore[arg-type]


def test_what_is_the_pods_cannot_be_a_members(memory: MemoryEngine) -> None:
    for member, way in (
        (box().with_network("net"), "networks="),
        (box().with_network_mode("host"), "network_mode="),
        (box().with_hostname("me"), "hostname="),
    ):
        assert way in refused(Pod(member, engine=memory))
    hosts = box("a").with_extra_host("x", "192.0.2.1"), box("b").with_extra_host("x", "192.0.2.2")
    assert "192.0.2.2" in refused(Pod(*hosts, engine=memory))


def test_namespaces_and_host_name_are_checked() -> None:
    with pytest.raises(DefinitionError, match="cannot share"):
        Pod(share=("ipc",))
    with pytest.raises(DefinitionError, match="cannot share"):
        Pod(share=("net", "mnt"))  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="host name 'no good'"):
        Pod(hostname="no good")


def test_one_value_may_stand_for_several(memory: MemoryEngine) -> None:
    first, second, third = box("db"), box("cache"), box("web")
    with Pod(first, engine=memory).add(second, depends_on=first).add(third, depends_on="db"):
        assert len(memory.list_containers()) == 3
    assert Pod(networks="net")._spec.networks == Pod(networks=["net"])._spec.networks
    with Network(engine=memory) as network:
        assert [one.name for one in Pod(networks=network)._spec.networks] == [network.name]
    with pytest.raises(DefinitionError, match="neither a network nor"):
        Pod(networks=5)


def test_names_of_pods_and_members_are_checked(memory: MemoryEngine) -> None:
    for name in ("no good", "", "-x", "a/b", 5):
        with pytest.raises(DefinitionError, match="pod name .* is malformed"):
            Pod(name=name)  # type: ignore[arg-type]
    assert "both called 'jig'" in refused(Pod(box("a").with_name("jig"), name="jig", engine=memory))
    with pytest.raises(DefinitionError, match="both networks and the network mode 'none'"):
        Pod(networks=["net"], network_mode="none")


def test_the_refused_can_be_mended(memory: MemoryEngine) -> None:
    pod = Pod(engine=memory).add(box("a"), depends_on=["b"])
    refused(pod)
    with pod.add(box("b")):
        assert len(memory.list_containers()) == 2
