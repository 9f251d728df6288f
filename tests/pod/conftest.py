"""The two places in which a pod may run, and proof that nothing of a test is left in either."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from podjig import GenericContainer, Pod
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.session import session_of
from podjig.engine.discovery import current_engine
from podjig.engine.podman import PodmanEngine
from podjig.engine.protocol import Engine

PLACES = ("native", "holder")


def engine_without_pods() -> Engine:
    """The engine, as if it had none."""
    found = current_engine()
    engine = PodmanEngine(found.info.address, origin="a test")
    engine._capabilities = replace(found.capabilities, pods=False)
    return engine


native_also_rootful = pytest.mark.parametrize(
    "place", [pytest.param("native", marks=pytest.mark.also_rootful), "holder"], indirect=True
)
"""For tests that are made once more as root, there in native pods alone: one after another, they take their time."""


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def where(place: str) -> Engine:
    """An engine that has the place."""
    return current_engine() if place == "native" else engine_without_pods()


MakePod = Callable[..., Pod]


@pytest.fixture
def make_pod(where: Engine) -> Iterator[MakePod]:
    """Define a pod there; stopped after the test, with nothing of it left."""
    session = session_of(where)
    assert session is not None
    client = LibpodClient(where.info.address)

    def resources() -> set[str]:
        return {f"{item}" for item in client.resources(session=session.id) if item.kind in ("pod", "container")}

    before = resources()
    made: list[Pod] = []

    def make(*members: GenericContainer, **fields: Any) -> Pod:
        made.append(Pod(*members, **{"engine": where, **fields}))
        return made[-1]

    yield make
    for pod in made:
        pod.stop()
    assert resources() <= before, "the test left something"


def box(line: str = "sleep 600", *aliases: str) -> GenericContainer:
    """A small container that runs a line of shell."""
    return GenericContainer("busybox", command=["sh", "-c", line]).with_network_aliases(*aliases)


def server(port: int, *aliases: str, text: str = "hello") -> GenericContainer:
    """A small web server."""
    line = f"mkdir -p /www; echo {text} > /www/index.html; exec httpd -f -p {port} -h /www"
    return box(line, *aliases).with_exposed_ports(port)


@pytest.fixture
def unique() -> str:
    """A name that nothing has yet."""
    return f"podjig-pod-{uuid.uuid4().hex[:12]}"
