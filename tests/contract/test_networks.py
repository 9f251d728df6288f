from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from podjig.engine.protocol import Engine
from podjig.errors import EngineRequestError, NameInUse, ResourceNotFound, SubnetInUse
from podjig.spec import NetworkAttachment, NetworkSpec

Create = Callable[..., str]


def spec(name: str, **fields: object) -> NetworkSpec:
    return NetworkSpec(name=name, **fields)  # type: ignore[arg-type]


def joined(*names: str, aliases: tuple[str, ...] = ()) -> dict[str, object]:
    return {"network_mode": None, "networks": tuple(NetworkAttachment(name=name, aliases=aliases) for name in names)}


def test_a_network_is_made_inspected_listed_and_removed(engine: Engine, network: str) -> None:
    made = engine.create_network(spec(network, labels={"contract.network": network}))
    for known in (made, network):
        info = engine.inspect_network(known)
        assert (info.id, info.name, info.driver) == (made, network, "bridge")
        assert len(info.subnets) == 1
        assert info.dns
        assert not info.internal
        assert not info.ipv6
    assert [found.name for found in engine.list_networks(labels={"contract.network": network})] == [network]
    assert engine.list_networks(labels={"contract.network": network, "contract.other": "x"}) == []
    assert network in [found.name for found in engine.list_networks()]
    engine.remove_network(made)
    assert network not in [found.name for found in engine.list_networks()]


def test_a_network_has_the_subnet_it_asks_for(engine: Engine, network: str) -> None:
    wanted = f"10.{random.randrange(100, 250)}.{random.randrange(256)}.0/24"  # other tests run beside this one
    engine.create_network(spec(network, subnets=(wanted,), internal=True))
    info = engine.inspect_network(network)
    assert (info.subnets, info.internal) == ((wanted,), True)
    with pytest.raises(SubnetInUse, match=wanted):
        engine.create_network(spec(f"{network}-2", subnets=(wanted,)))


def test_a_name_in_use_is_an_error(engine: Engine, network: str) -> None:
    engine.create_network(spec(network))
    with pytest.raises(NameInUse, match=network):
        engine.create_network(spec(network))


def test_removal_is_quiet_where_there_is_none(engine: Engine, network: str) -> None:
    engine.remove_network(network)


def test_a_network_with_members_is_not_removed(engine: Engine, network: str, create: Create) -> None:
    engine.create_network(spec(network))
    box = create(**joined(network))
    for known in (network, engine.inspect_network(network).id):
        with pytest.raises(EngineRequestError):
            engine.remove_network(known)
    engine.remove_container(box)
    engine.remove_network(network)


def test_a_container_leaves_and_joins(engine: Engine, network: str, run: Create) -> None:
    engine.create_network(spec(network))
    box = run(**joined(network))
    engine.disconnect_network(network, box)
    with pytest.raises(ResourceNotFound, match=network):
        engine.disconnect_network(network, box)
    engine.connect_network(network, box, aliases=["later"])
    with pytest.raises(EngineRequestError, match=network):
        engine.connect_network(network, box)


@pytest.mark.parametrize(
    "verb",
    [
        lambda engine, box, network: engine.inspect_network("no-such-network"),
        lambda engine, box, network: engine.connect_network("no-such-network", box(**joined(network))),
        lambda engine, box, network: engine.disconnect_network("no-such-network", box(**joined(network))),
        lambda engine, box, network: box(**joined("no-such-network")),
    ],
    ids=["inspect", "connect", "disconnect", "create"],
)
def test_an_unknown_network_is_an_error(
    engine: Engine, network: str, create: Create, verb: Callable[..., object]
) -> None:
    engine.create_network(spec(network))
    with pytest.raises(ResourceNotFound, match="there is no network 'no-such-network'") as caught:
        verb(engine, create, network)
    assert caught.value.hint


def test_an_unknown_container_cannot_join(engine: Engine, network: str) -> None:
    engine.create_network(spec(network))
    with pytest.raises(ResourceNotFound, match="no-such-container"):
        engine.connect_network(network, "no-such-container")


@pytest.mark.needs("processes")
def test_members_find_each_other_by_name_and_alias(engine: Engine, network: str, run: Create) -> None:
    engine.create_network(spec(network))
    run("echo found > /tmp/index.html; exec httpd -f -p 80 -h /tmp", **joined(network, aliases=("web",)))
    client = run(**joined(network))
    found = engine.exec(client, ["wget", "-q", "-O", "-", "http://web/"])
    assert (found.exit_code, found.output) == (0, b"found\n")


@pytest.mark.needs("processes")
def test_what_is_prepared_has_its_network_and_waits(engine: Engine, network: str, create: Create) -> None:
    engine.create_network(spec(network))
    box = create("echo begun; sleep 100", **joined(network))
    engine.init_container(box)
    info = engine.inspect_container(box)
    assert info.state.pid > 0
    assert not info.state.running
    assert info.networks[network]
    assert engine.logs(box) == []
    engine.start_container(box)
    assert engine.inspect_container(box).state.pid == info.state.pid
