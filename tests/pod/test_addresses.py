"""A server that tells its clients where to connect, as brokers do, found from the host and from inside."""

from __future__ import annotations

import socket

import pytest

from pod.conftest import MakePod, box
from podjig import GenericContainer, LogMessageWaitStrategy, Network
from podjig.container.addresses import Addresses
from podjig.errors import PortError

# Its file has lines "PORT ADDRESS"; on each PORT it tells ADDRESS to whoever connects, and ends the connection.
BROKER = """
$| = 1;
open F, "/etc/listeners";
while (<F>) {
    my ($port, $address) = split;
    next if fork;
    my $server = IO::Socket::INET->new(LocalPort => $port, Listen => 9, ReuseAddr => 1) or die;
    print "listening\\n";
    while (my $client = $server->accept) { print $client "$address\\n"; close $client }
}
wait;
"""
OUTSIDE, INSIDE = 9092, 29092


def broker(*aliases: str) -> GenericContainer:
    """It listens on one port for tests and on another for members."""

    def listeners(found: Addresses) -> str:
        return f"{OUTSIDE} {found.outside(OUTSIDE)}\n{INSIDE} {found.inside(INSIDE)}\n"

    return (
        GenericContainer("redis:7.4", command=["perl", "-MIO::Socket::INET", "-e", BROKER])
        .with_exposed_ports(OUTSIDE)
        .with_network_aliases(*aliases)
        .with_address_file("/etc/listeners", listeners)
        .waiting_for(LogMessageWaitStrategy("listening", times=2))
    )


def advertised(address: str) -> str:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        return connection.recv(100).decode().strip()


@pytest.mark.also_rootful
def test_in_a_pod(make_pod: MakePod) -> None:
    server = broker("broker")
    with make_pod(server) as pod:
        bootstrap = f"{server.get_container_host_ip()}:{server.get_exposed_port(OUTSIDE)}"
        assert advertised(bootstrap) == bootstrap
        assert advertised(advertised(bootstrap)) == bootstrap
        ask = f"address=$(nc -w 2 localhost {INSIDE}); echo $address; nc -w 2 ${{address%:*}} ${{address#*:}}"
        assert pod.run("busybox", ["sh", "-c", ask]).stdout.decode().split() == [f"broker:{INSIDE}"] * 2


def test_by_itself() -> None:
    with broker() as server:
        bootstrap = f"{server.get_container_host_ip()}:{server.get_exposed_port(OUTSIDE)}"
        assert advertised(bootstrap) == bootstrap
        assert server.exec(["cat", "/etc/listeners"]).stdout.decode().split()[-1] == f"localhost:{INSIDE}"


@pytest.mark.also_rootful
@pytest.mark.parametrize("aliases", [(), ("broker",)], ids=["without a name", "with an alias"])
def test_in_a_network(aliases: tuple[str, ...]) -> None:
    with Network() as network, broker(*aliases).with_network(network) as server:
        bootstrap = f"{server.get_container_host_ip()}:{server.get_exposed_port(OUTSIDE)}"
        assert advertised(bootstrap) == bootstrap
        name = aliases[0] if aliases else server.id[:12]
        assert server.exec(["cat", "/etc/listeners"]).stdout.decode().split()[-1] == f"{name}:{INSIDE}"
        ask = f"address=$(nc -w 5 {name} {INSIDE}); echo $address; nc -w 5 ${{address%:*}} ${{address#*:}}"
        client = GenericContainer("busybox", command=["sh", "-c", ask]).with_network(network)
        with client:
            client.wait(20)
            assert client.logs().split() == [f"{name}:{INSIDE}"] * 2


def test_an_unpublished_port_cannot_be_advertised() -> None:
    container = box().with_address_file("/etc/x", lambda found: found.outside(80))
    with pytest.raises(PortError, match="80/tcp is to be advertised, but is not published"):
        container.start()
    assert not container.started
