"""Members of a network that are kept apart."""

from __future__ import annotations

import pytest

from network.conftest import Start, box, reads, resolves, web
from podjig import Network
from podjig.errors import DefinitionError, NotStartedError

pytestmark = pytest.mark.also_rootful


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


def test_one_that_is_gone_heals_quietly(network: Network, start: Start) -> None:
    first, second = (start(box().with_network(network)) for _ in range(2))
    fault = network.partition(first, second)
    first.stop()
    fault.undo()
    assert not fault.active
