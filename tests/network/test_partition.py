"""Members of a network that are kept apart."""

from __future__ import annotations

import pytest

from network.conftest import Start, box, reads, resolves, web
from pod.conftest import engine_without_pods
from podjig import Network, Pod
from podjig.engine.protocol import Engine
from podjig.errors import ContainerExited, DefinitionError, NotStartedError


@pytest.mark.also_rootful
def test_two_are_kept_apart_and_nobody_else(network: Network, start: Start) -> None:
    first = start(web("first").with_network(network).with_network_aliases("first"))
    second = start(web("second").with_network(network).with_network_aliases("second"))
    third = start(web("third").with_network(network).with_network_aliases("third"))
    assert reads(first, "http://second/") == "second"
    with network.partition(first, second) as fault:
        assert fault.how
        assert network.partition(second, first.id) is fault
        assert reads(first, "http://second/", tries=1) == ""
        assert reads(second, "http://first/", tries=1) == ""
        assert resolves(first, "second")
        for one, other in ((first, third), (third, first), (second, third), (third, second)):
            name = other.network_aliases[0]
            assert reads(one, f"http://{name}/") == name
    assert reads(first, "http://second/") == "second"
    assert reads(second, "http://first/") == "first"
    network.partition(first, second)
    network.partition(first, third)
    network.heal(second, first)
    assert reads(first, "http://second/") == "second"
    assert reads(first, "http://third/", tries=1) == ""
    network.heal()
    assert reads(first, "http://third/") == "third"
    network.heal()


@pytest.mark.also_rootful
def test_what_cannot_be_parted_is_refused(network: Network, start: Start) -> None:
    member = start(box().with_network(network))
    stranger = start(box())
    with pytest.raises(DefinitionError, match="from itself"):
        network.partition(member, member.id)
    with pytest.raises(DefinitionError, match=f"is not in network {network.name}"):
        network.partition(member, stranger)
    with pytest.raises(NotStartedError):
        network.partition(member, box())
    with pytest.raises(NotStartedError, match="not made"):
        Network().partition(member, stranger)


@pytest.mark.also_rootful
def test_one_that_is_gone_heals_quietly(network: Network, start: Start) -> None:
    first, second = (start(box().with_network(network)) for _ in range(2))
    fault = network.partition(first, second)
    gone = first.id
    first.stop()
    fault.undo()
    assert not fault.active
    network.heal(gone, second)


@pytest.mark.also_rootful
def test_one_that_restarted_is_parted_anew(network: Network, start: Start) -> None:
    first, second = (start(web(name).with_network(network).with_network_aliases(name)) for name in ("first", "second"))
    with network.partition(first, second) as fault:
        first.restart(0)
        assert network.partition(first, second) is fault
        assert reads(first, "http://second/", tries=1) == reads(second, "http://first/", tries=1) == ""
        with network.disconnect(second):
            pass
        assert network.partition(first, second) is fault
        assert reads(first, "http://second/", tries=1) == reads(second, "http://first/", tries=1) == ""
    assert reads(first, "http://second/") == "second"
    assert reads(second, "http://first/") == "first"
    fault = network.partition(first, second)
    first.kill()
    first.wait(10)
    with pytest.raises(ContainerExited, match="cannot part"):
        network.partition(first, second)
    assert not fault.active


@pytest.mark.parametrize(
    "native", [pytest.param(True, id="native", marks=pytest.mark.also_rootful), pytest.param(False, id="holder")]
)
def test_members_of_a_pod_are_parted_from_others_but_not_from_each_other(
    engine: Engine, network: Network, start: Start, native: bool
) -> None:
    outside = start(web("outside").with_network(network).with_network_aliases("outside"))
    one, other = web("one", 8001), web("other", 8002)
    with Pod(one, other, networks=[network], engine=engine if native else engine_without_pods()):
        with pytest.raises(DefinitionError, match="members of one pod") as caught:
            network.partition(one, other)
        assert "different pods" in caught.value.hint
        with network.partition(one, outside):
            assert reads(one, "http://outside/", tries=1) == reads(other, "http://outside/", tries=1) == ""
            assert reads(one, "http://localhost:8002/") == "other"
        assert reads(other, "http://outside/") == "outside"
