"""The contract of :class:`podjig.engine.protocol.Engine`: the same tests on every engine.

``@pytest.mark.needs("processes")`` keeps a test from engines that cannot show what it is about; see ``engines.py``.
"""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contract.engines import ENGINES, Reach
from podjig.engine.protocol import Engine
from podjig.image.store import resolve
from podjig.spec import ContainerSpec


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(ability, ...): only on engines of the contract that can do this")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "reach" in metafunc.fixturenames:
        needed = {ability for mark in metafunc.definition.iter_markers("needs") for ability in mark.args}
        able = [reach.param() for reach in ENGINES if needed <= reach.abilities]
        metafunc.parametrize("reach", able, scope="session")


@pytest.fixture(scope="session")
def tiny_image() -> str:
    """An image with a shell and little else; which one is chosen by the suite's settings."""
    return resolve("busybox")


@pytest.fixture
def engine(reach: Reach, tiny_image: str) -> Engine:
    """The engine that the contract is tried on."""
    return reach.connect(tiny_image)


@pytest.fixture
def unique() -> str:
    """A name that nothing has yet."""
    return f"contract-{uuid.uuid4().hex[:12]}"


Create = Callable[..., str]


class Tidy:
    """What a test made, removed after it in the order in which things use each other."""

    def __init__(self) -> None:
        self.pods: list[str] = []
        self.containers: list[str] = []
        self.volumes: list[str] = []
        self.networks: list[str] = []
        self.images: list[str] = []

    def up(self, engine: Engine) -> None:
        for pod in self.pods:
            engine.remove_pod(pod)
        for container in self.containers:
            engine.remove_container(container)
        for network in self.networks:
            engine.remove_network(network)
        for volume in self.volumes:
            engine.remove_volume(volume)
        for image in self.images:
            engine.remove_image(image)


@pytest.fixture
def tidy(engine: Engine) -> Iterator[Tidy]:
    tidy = Tidy()
    yield tidy
    tidy.up(engine)


@pytest.fixture
def create(engine: Engine, tiny_image: str, tidy: Tidy) -> Create:
    """Create a container of the tiny image that runs a line of shell; it is removed after the test."""

    def create(line: str = "sleep 100", **fields: Any) -> str:
        fields = {"image": tiny_image, "command": ("sh", "-c", line), "network_mode": "none", **fields}
        made = engine.create_container(ContainerSpec(**fields))
        tidy.containers.append(made)
        return made

    return create


@pytest.fixture
def run(engine: Engine, create: Create) -> Create:
    """The same, started."""

    def run(line: str = "sleep 100", **fields: Any) -> str:
        made = create(line, **fields)
        engine.start_container(made)
        return made

    return run


@pytest.fixture
def new_image(unique: str, tidy: Tidy) -> str:
    """The name of an image that a test is about to make; it is removed after the test."""
    name = f"localhost/podjig/{unique}:1"
    tidy.images.append(name)
    return name


@pytest.fixture
def volume(unique: str, tidy: Tidy) -> str:
    """The name of a volume that a test is about to make; it is removed after the test."""
    tidy.volumes.append(unique)
    return unique


@pytest.fixture
def network(unique: str, tidy: Tidy) -> str:
    """The name of a network that a test is about to make; it is removed after the test."""
    tidy.networks.append(unique)
    return unique


def tar_of(**files: bytes) -> io.BytesIO:
    """A tar archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(content))
    packed.seek(0)
    return packed


@pytest.fixture
def tar() -> Callable[..., io.BytesIO]:
    """Make a tar archive of files given by name."""
    return tar_of
