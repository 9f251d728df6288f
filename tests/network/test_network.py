"""Networks: names, several of them, inside and outside, and what goes wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from network.conftest import TRIES, Start, addresses, box, bridge_address, glibc, reads, resolves, until, web
from pod.conftest import engine_without_pods
from podjig import GenericContainer, Network, Pod, RedisContainer
from podjig.cleanup.labels import SESSION
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.session import session_of
from podjig.engine.memory import MemoryEngine
from podjig.engine.podman.start_faults import start_fault
from podjig.engine.protocol import Engine
from podjig.errors import (
    AlreadyStartedError,
    CapabilityMissing,
    DefinitionError,
    EngineRequestError,
    NameInUse,
    NotStartedError,
    ResourceNotFound,
    SubnetInUse,
)
from podjig.network.bridge import dns_servers

pytestmark = pytest.mark.also_rootful

PROMISE = 5.0
"""Seconds after an owner's death in which nothing of it may be left."""


def test_constructing_does_nothing_and_names_are_ones_own() -> None:
    networks = [Network() for _ in range(100)]
    assert len({network.name for network in networks}) == len(networks)
    with pytest.raises(NotStartedError, match=f"network {networks[0].name} is not made"):
        _ = networks[0].id
    networks[0].remove()


@pytest.mark.parametrize(
    "fields", [{"name": "a b"}, {"name": ""}, {"subnet": "10.0.0.1/24"}, {"subnet": ["10.0.0.0/24", "everything"]}]
)
def test_what_is_malformed_is_refused_where_it_is_written(fields: dict[str, str]) -> None:
    with pytest.raises(DefinitionError, match="malformed"):
        Network(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("alias", ["no host", "-db", "db_1", "", "a..b"])
def test_an_alias_that_is_no_host_name_is_refused(alias: str) -> None:
    with pytest.raises(DefinitionError, match="is not a host name"):
        GenericContainer("busybox").with_network_aliases(alias)


def test_it_works_on_any_engine() -> None:
    engine = MemoryEngine()
    network = Network(labels={"team": "a"}, engine=engine)
    with network as made:
        assert made is network
        assert network.inspect().labels["team"] == "a"
        with pytest.raises(AlreadyStartedError, match="made already"):
            network.create()
    assert engine.list_networks() == []
    with network:
        assert engine.list_networks() == [network.inspect()]


def test_a_subnet_that_another_took_meanwhile_is_chosen_anew() -> None:
    engine = MemoryEngine()
    engine.refuse("create_network", SubnetInUse("subnet 10.89.0.0/24 is already used"), times=2)
    with Network(engine=engine) as network:
        assert network.inspect().subnets
    engine.refuse("create_network", SubnetInUse("subnet 10.9.0.0/24 is already used"))
    with pytest.raises(SubnetInUse):
        Network(subnet="10.9.0.0/24", engine=engine).create()


def test_members_find_each_other_by_name_and_alias(network: Network, start: Start) -> None:
    server = RedisContainer("redis:7.4")
    server.with_network(network)
    server.with_network_aliases("db", "cache")
    start(server)
    client = start(box().with_network(network))
    for name in ("db", "cache", server.id[:12]):
        assert resolves(client, name)
    answer = client.exec(["sh", "-c", "printf 'PING\\r\\n' | timeout 2 nc db 6379"])
    assert answer.stdout == b"+PONG\r\n"
    assert network.inspect().labels[SESSION] == session_of(server.engine).id  # type: ignore[union-attr]


def test_a_name_is_known_when_the_start_returns(network: Network, start: Start) -> None:
    client = start(glibc().with_network(network))
    for number in range(3):
        new = start(box().with_network(network).with_network_aliases(f"new-{number}"))
        assert addresses(client, f"new-{number}") == [new.inspect().networks[network.name]]


def test_a_program_finds_the_others_from_its_first_moment(network: Network, start: Start) -> None:
    start(box().with_network(network).with_network_aliases("db"))
    for _ in range(3):
        assert start(glibc("getent hosts db && echo found").with_network(network)).wait(20) == 0


def test_names_resolve_under_many_look_ups(network: Network, start: Start) -> None:
    start(box().with_network(network).with_network_aliases("db"))
    client = start(glibc().with_network(network))
    line = "n=0; while [ $n -lt 50 ]; do getent hosts db >/dev/null || echo failed; n=$((n + 1)); done; echo done"
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: answers.append(client.exec(["sh", "-c", line]).output)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):  # each of these makes the name server stumble
        with box().with_network(network):
            pass
    assert answers == [b"done\n"] * 4


def test_names_follow_their_members(network: Network, start: Start) -> None:
    client = start(glibc().with_network(network))
    web = start(box().with_network(network).with_network_aliases("web", "shared"))
    assert addresses(client, "shared") == addresses(client, "web")
    other = start(box().with_network(network).with_network_aliases("shared"))
    both = sorted(member.inspect().networks[network.name] for member in (web, other))
    until(lambda: addresses(client, "shared") == both)  # the name server's
    web.restart(0)
    assert addresses(client, "web") == [web.inspect().networks[network.name]]
    with network.disconnect(web):
        until(lambda: addresses(client, "web") == [])
    assert addresses(client, "web") == [web.inspect().networks[network.name]]
    client.restart(0)
    assert addresses(client, "web") == [web.inspect().networks[network.name]]
    web.stop()
    until(lambda: addresses(client, "web") == [])
    assert b"shared" in client.exec("cat /etc/hosts").stdout


def test_a_network_without_names_gives_none() -> None:
    with Network(dns=False) as silent:
        client, db = glibc().with_network(silent), box().with_network(silent).with_network_aliases("db")
        with db, client:
            assert addresses(client, "db") == []


def test_members_that_come_and_go_do_not_disturb_the_others(network: Network, start: Start) -> None:
    start(web().with_network(network).with_network_aliases("web"))
    client = start(box().with_network(network))
    others = [start(box().with_network(network)) for _ in range(4)]
    assert resolves(client, "web")
    for other in others:
        other.stop()
        assert reads(client, "http://web/") == "hello"


@pytest.mark.parametrize("native", [True, False], ids=["native", "holder"])
def test_members_of_a_pod_are_found_in_its_network(
    engine: Engine, network: Network, start: Start, native: bool
) -> None:
    client = start(glibc().with_network(network))
    start(web("outside").with_network(network).with_network_aliases("outside"))
    member = web("inside", 8000).with_network_aliases("inside", "inside.example")
    with Pod(member, networks=[network], engine=engine if native else engine_without_pods()):
        for name in ("inside", "inside.example"):
            until(lambda name=name: len(addresses(client, name)) == 1)  # type: ignore[misc]
        assert reads(member, "http://outside/") == "outside"


def test_the_bridge_keeps_its_address_from_its_first_member_on(engine: Engine, network: Network) -> None:
    # Left alone, a bridge has the lowest hardware address among its members'.
    lowest = {"Networks": {network.name: {"static_mac": "02:00:00:00:00:07"}}}
    before = after = ""
    for _ in range(TRIES):
        servers = list(dns_servers())
        with Pod(box(), networks=[network]):
            before = bridge_address(engine, network)
            with box().with_network(network).with_kwargs(**lowest):
                after = bridge_address(engine, network)
        if servers and servers == list(dns_servers()):
            break  # else the bridge was not to be seen all the time
    assert before == after != ""


def test_a_container_in_several_networks(network: Network, start: Start) -> None:
    with Network() as second:
        middle = web().with_network(network).with_network(second).with_network_aliases("middle").start()
        left, right = (box().with_network(net).start() for net in (network, second))
        try:
            assert reads(left, "http://middle/") == reads(right, "http://middle/") == "hello"
            assert set(middle.inspect().networks) == {network.name, second.name}
        finally:
            for container in (right, left, middle):
                container.stop()


class Hello(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def outside() -> Iterator[str]:
    """The address of a server on this machine, other than its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no address but its loopback")
        own = probe.getsockname()[0]
    server = ThreadingHTTPServer((own, 0), Hello)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://{own}:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_internal_network_has_no_way_out(network: Network, start: Start, outside: str) -> None:
    assert reads(start(box().with_network(network)), outside) == "hello"
    with Network(internal=True) as inner:
        server, client = web().with_network(inner).with_network_aliases("web"), box().with_network(inner)
        with server, client:
            assert reads(client, outside, tries=1) == ""
            assert reads(client, "http://web/") == "hello"


def test_datagrams_are_carried(network: Network, start: Start) -> None:
    modules = ["perl", "-MIO::Socket::INET", "-e"]  # every Debian-based image has perl-base
    echo = '$s = IO::Socket::INET->new(LocalPort => 9999, Proto => "udp"); while ($s->recv($m, 99)) { $s->send($m) }'
    ask = (
        '$s = IO::Socket::INET->new(PeerAddr => "echo:9999", Proto => "udp"); $SIG{ALRM} = sub { $s->send("hi") }; '
        '$s->send("hi"); for (1..20) { alarm 1; last if $s->recv($m, 99) } print $m'
    )
    image = "redis:7.4"
    start(GenericContainer(image, command=[*modules, echo]).with_network(network).with_network_aliases("echo"))
    client = start(GenericContainer(image, command=["sleep", "600"]).with_network(network))
    assert client.exec([*modules, ask]).stdout == b"hi"


def test_a_network_with_ipv6(start: Start) -> None:
    network = Network(ipv6=True)
    try:
        network.create()
    except CapabilityMissing as error:
        assert "IPv6" in error.message  # noqa: PT017
        return
    with web().with_network(network).with_network_aliases("web"), box().with_network(network) as client:
        found = client.exec(["nslookup", "-type=aaaa", "web"]).stdout.decode()
        address = found.split()[-1]
        assert ":" in address
        assert reads(client, f"http://[{address}]/") == "hello"
    network.remove()


def test_joining_and_leaving_later(network: Network, start: Start) -> None:
    client = start(box().with_network(network))
    with Network() as second:
        server = web().with_network(second).start()
        try:
            network.connect(server, ["late"])
            assert reads(client, "http://late/") == "hello"
            with network.disconnect(server) as fault:
                assert fault.active
                assert reads(client, "http://late/", tries=1) == ""
            assert reads(client, "http://late/") == "hello"
            with pytest.raises(EngineRequestError, match="already connected"):
                network.connect(server.id)
        finally:
            server.stop()


def test_who_is_back_has_the_same_aliases_however_it_is_named(
    engine: Engine, network: Network, start: Start, unique: str
) -> None:
    client = start(glibc().with_network(network))
    server = start(box().with_name(unique).with_network(network).with_network_aliases("db", "cache"))
    for spelling in (server, server.id, server.id[:20], unique):
        with network.disconnect(spelling):
            until(lambda: addresses(client, "db") == [])
        info = server.inspect()
        assert info.aliases[network.name] == ("db", "cache")
        for name in ("db", "cache", unique):
            assert addresses(client, name) == [info.networks[network.name]]
    with Network() as second:
        second.connect(unique, ["late"])
        with second.disconnect(server):
            pass
        assert server.inspect().aliases[second.name] == ("late",)
        with second.disconnect(server):
            second.connect(server, ["by-hand"])
        assert server.inspect().aliases[second.name] == ("by-hand",)
        fault = second.disconnect(server)
    fault.undo()  # the network is gone
    fault = network.disconnect(server)
    server.stop()
    fault.undo()


def test_a_name_is_not_taken_for_the_beginning_of_an_id(network: Network, start: Start) -> None:
    client = start(glibc().with_network(network))
    other = start(box().with_network(network).with_network_aliases("other"))
    named = start(box().with_network(network).with_name(other.id[:11]).with_network_aliases("named"))
    with network.disconnect(other.id[:11]):
        until(lambda: addresses(client, "named") == [])
        assert addresses(client, "other") == [other.inspect().networks[network.name]]
    assert addresses(client, "named") == [named.inspect().networks[network.name]]


def test_what_cannot_join_is_named(network: Network, start: Start) -> None:
    alone = start(box().with_network_mode("none"))
    with pytest.raises(EngineRequestError) as caught:
        network.connect(alone)
    assert "started in a network" in caught.value.hint
    with pytest.raises(ResourceNotFound, match="no-such-container"):
        network.connect("no-such-container")
    with pytest.raises(NotStartedError):
        network.connect(box())
    with pytest.raises(DefinitionError, match="neither a container"):
        network.connect(42)
    with pytest.raises(DefinitionError, match="not a host name"):
        network.connect(alone, ["not a name"])


def test_an_unknown_network_is_named() -> None:
    with pytest.raises(ResourceNotFound, match="there is no network 'no-such-network'") as caught:
        box().with_network("no-such-network").start()
    assert "with Network()" in caught.value.hint
    forgotten = Network()
    with pytest.raises(ResourceNotFound, match=forgotten.name):
        box().with_network(forgotten).start()


def test_a_subnet_or_name_in_use_is_named(network: Network) -> None:
    (taken,) = network.inspect().subnets
    with pytest.raises(SubnetInUse, match=taken) as caught:
        Network(subnet=taken).create()
    assert "leave the subnet out" in caught.value.hint
    with pytest.raises(NameInUse, match=network.name):
        Network(network.name).create()


def test_sessions_that_make_networks_at_once_get_different_ones(engine: Engine) -> None:
    script = (
        "import sys\n"
        "from podjig import Network\n"
        "made = [Network().create() for _ in range(8)]\n"
        "print(*(network.inspect().subnets[0] for network in made), flush=True)\n"
        "sys.stdin.read()\n"
    )
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    sessions = [
        subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ
        )
        for _ in range(2)
    ]
    subnets = [subnet for session in sessions for subnet in session.stdout.readline().split()]  # type: ignore[union-attr]
    for session in sessions:
        session.communicate(timeout=120)
    assert len(subnets) == 16
    assert len(set(subnets)) == 16


@pytest.mark.parametrize(
    "said",
    [
        "netavark: No such file or directory (os error 2)",
        'netavark: unable to execute "iptables": not installed',
        "unable to find network with name or ID n1: network not found",
    ],
)
def test_where_there_can_be_no_bridge_a_pod_is_suggested(said: str) -> None:
    fault = start_fault(EngineRequestError(f"cannot start container 'x': {said}", status=500))
    assert said in str(fault)
    assert "pod" in fault.hint


def test_driver_options_reach_the_driver(start: Start) -> None:
    with Network(options={"mtu": "1400"}) as network, box().with_network(network) as member:
        assert member.exec("cat /sys/class/net/eth0/mtu").stdout == b"1400\n"
    with pytest.raises(EngineRequestError, match="bogus"):
        Network(options={"bogus": "1"}).create()
    with pytest.raises(EngineRequestError, match="no-such-driver"):
        Network(driver="no-such-driver").create()


def test_a_network_with_members_stays_until_they_are_gone(network: Network, start: Start) -> None:
    member = start(box().with_network(network))
    with pytest.raises(EngineRequestError, match="being used") as caught:
        network.remove()
    assert f"network={network.name}" in caught.value.hint
    assert network.inspect().name == network.name
    member.stop()


def test_the_error_of_a_block_is_the_one_that_is_told(engine: Engine) -> None:
    network = Network()
    member = box().with_network(network)

    def test() -> None:
        with network:
            member.start()
            raise ValueError("the test's own")

    with pytest.raises(ValueError, match="the test's own"):
        test()
    member.stop()
    network.remove()
    assert network.name not in [found.name for found in engine.list_networks()]


@pytest.mark.parametrize("how", ["by its definition", "while it runs"])
def test_it_stays_for_a_member_that_is_kept(engine: Engine, how: str) -> None:
    network = Network()
    member = box().with_network(network)
    if how == "by its definition":
        member.with_keep()
    with network, member:
        if how == "while it runs":
            member.keep(600)
        made = member.id
    assert engine.inspect_network(network.name).name == network.name
    assert engine.inspect_container(made).state.running
    engine.remove_container(made)
    engine.remove_network(network.name)


def test_removed_from_outside_during_the_test(engine: Engine) -> None:
    network = Network().create()
    member = box().with_network(network).start()
    engine.remove_container(member.id)
    engine.remove_network(network.id)
    with pytest.raises(ResourceNotFound, match=network.name):
        network.inspect()
    with pytest.raises(ResourceNotFound, match=network.name):
        box().with_network(network).start()
    member.stop()
    network.remove()
    network.remove()


OWNER = """
import time
from podjig import GenericContainer, Network
from podjig.cleanup.session import session_of
from podjig.engine.discovery import current_engine

print(session_of(current_engine()).id, flush=True)
network = Network().create()
GenericContainer("busybox", command="sleep 600").with_network(network).start()
time.sleep(600)
"""


def test_a_killed_owner_leaves_no_network(engine: Engine) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env=environ)
    assert owner.stdout is not None
    session = owner.stdout.readline().strip()
    client = LibpodClient(engine.info.address)

    def made() -> list[str]:
        return sorted(item.kind for item in client.resources(session=session))

    while made() != ["container", "network"]:
        time.sleep(0.02)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    died = time.monotonic()
    while made():
        assert time.monotonic() - died < PROMISE, f"left: {made()}"
        time.sleep(0.05)
