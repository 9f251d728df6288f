"""Networks and their members, and proof that nothing of a test is left."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

from podjig import GenericContainer, Network
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.session import session_of
from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing
from podjig.network.bridge import dns_servers
from podjig.network.namespaces import run_inside


def box(line: str = "sleep 600") -> GenericContainer:
    """A small container that runs a line of shell."""
    return GenericContainer("busybox", command=["sh", "-c", line])


def web(text: str = "hello", port: int = 80) -> GenericContainer:
    """A small web server."""
    return box(f"mkdir -p /www; echo {text} > /www/index.html; exec httpd -f -p {port} -h /www")


def glibc(line: str = "sleep 600") -> GenericContainer:
    """A container that looks names up as most programs do, with getent."""
    return GenericContainer("redis:7.4", command=["sh", "-c", line])


TRIES = 5
"""How often something may fail before it counts: servers need a moment to listen, and the name server of Podman 4,
which nslookup asks, is away for a moment whenever a container of the same user starts or ends, in another test too."""


def reads(container: GenericContainer, url: str, *, tries: int = TRIES) -> str:
    """Return what a container reads from a URL; empty where it fails."""
    for _ in range(tries):
        found = container.exec(["timeout", "1", "wget", "-q", "-O", "-", url])
        if found.exit_code == 0:
            return found.stdout.decode().strip()
    return ""


def addresses(container: GenericContainer, name: str) -> list[str]:
    """The addresses of a name inside a container, as programs get them, at the first try."""
    found = container.exec(["getent", "ahostsv4", name])
    return sorted({line.split()[0] for line in found.stdout.decode().splitlines()})


def resolves(container: GenericContainer, name: str) -> bool:
    """Whether the name server tells a container a name; where not, what was said is printed."""
    for _ in range(TRIES):
        found = container.exec(["nslookup", name])
        if found.exit_code == 0:
            return True
        print(f"name servers {list(dns_servers())}; nslookup {name}:", found.output.decode())
        if not list(dns_servers()):  # that of Podman 4 breaks down at times, and comes back with the next member
            with Network() as another, box().with_network(another):
                pass
    return False


def bridge_address(engine: Engine, network: Network) -> str:
    """The hardware address of a network's bridge; empty where there is no name server to see it by."""
    interface = engine.inspect_network(network.name).interface
    reasons = []
    for pid in dns_servers():
        try:
            shown = run_inside(pid, ["ip", "-j", "link", "show", "dev", interface], what="look at the bridge")
            return str(json.loads(shown)[0]["address"])
        except CapabilityMissing as error:
            reasons.append(f"{pid}: {error.message}")  # it serves other networks
    assert not reasons, f"bridge {interface} is with none of the name servers: {reasons}"
    return ""


def until(true: Callable[[], bool], *, seconds: float = 20.0) -> None:
    """Wait for something that comes true by itself."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not so within {seconds:g} s"


@pytest.fixture
def network() -> Iterator[Network]:
    """A network; its members are to be gone before it."""
    with Network() as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def name_server() -> Iterator[None]:
    """Keep the engine's name server running: that of Podman 4 ends with the last member of all networks, and a member
    that starts in that moment finds none."""
    with Network() as network, box().with_network(network):
        yield


@pytest.fixture
def unique() -> str:
    """A name that nothing has yet."""
    return f"podjig-{uuid.uuid4().hex[:12]}"


Start = Callable[[GenericContainer], GenericContainer]


@pytest.fixture
def start(engine: Engine, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Start a container; it is stopped after the test, and then nothing of the session may be left."""
    if "network" in request.fixturenames:
        request.getfixturevalue("network")  # made before, so gone after
    session = session_of(engine)
    assert session is not None
    client = LibpodClient(engine.info.address)

    def containers() -> set[str]:
        return {str(item) for item in client.resources(session=session.id) if item.kind == "container"}

    before = containers()
    made: list[GenericContainer] = []

    def start(container: GenericContainer) -> GenericContainer:
        made.append(container)
        return container.start()

    yield start
    for container in reversed(made):
        container.stop()
    assert containers() <= before, "the test left something"
