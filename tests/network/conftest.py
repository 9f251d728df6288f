"""Networks and their members, and proof that nothing of a test is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from podjig import GenericContainer, Network
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.session import session_of
from podjig.engine.protocol import Engine


def box(line: str = "sleep 600") -> GenericContainer:
    """A small container that runs a line of shell."""
    return GenericContainer("busybox", command=["sh", "-c", line])


def web(text: str = "hello", port: int = 80) -> GenericContainer:
    """A small web server."""
    return box(f"mkdir -p /www; echo {text} > /www/index.html; exec httpd -f -p {port} -h /www")


TRIES = 5
"""How often something may fail before it counts: servers need a moment to listen, and the name server of Podman 4 is
away for a moment whenever a container of the same user starts or ends, in another test too."""


def reads(container: GenericContainer, url: str, *, tries: int = TRIES) -> str:
    """Return what a container reads from a URL; empty where it fails."""
    for _ in range(tries):
        found = container.exec(["timeout", "1", "wget", "-q", "-O", "-", url])
        if found.exit_code == 0:
            return found.stdout.decode().strip()
    return ""


def resolves(container: GenericContainer, name: str) -> bool:
    """Whether a name is known inside a container."""
    return any(container.exec(["nslookup", name]).exit_code == 0 for _ in range(TRIES))


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
