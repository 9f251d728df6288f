"""Pulling for real, from a registry that runs in a container on loopback."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from podjig import DockerImage, GenericContainer, HttpWaitStrategy
from podjig.engine.protocol import Engine
from podjig.errors import ImageNotFound, ImagePullError
from podjig.image import progress
from podjig.image.store import ensure_image, resolve

pytestmark = pytest.mark.xdist_group("registry")  # one registry for all of them


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """The address of an empty registry."""
    with (
        GenericContainer("registry:2", env={"REGISTRY_STORAGE_DELETE_ENABLED": "true"})
        .with_exposed_ports(5000)
        .with_tmpfs_mount("/var/lib/registry")
        .waiting_for(HttpWaitStrategy(5000, "/v2/")) as container
    ):
        yield f"127.0.0.1:{container.get_exposed_port(5000)}"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of an image that nobody else names: of two names given to one at the same moment, Podman loses one."""
    context = tmp_path_factory.mktemp("tiny")
    (context / "Containerfile").write_text(f"FROM {resolve('busybox')}\nLABEL pulled={uuid.uuid4().hex}\n")
    with DockerImage(context) as image:
        yield image.tag


@pytest.fixture
def pushed(engine: Engine, registry: str, tiny: str) -> Iterator[str]:
    """The name of an image that the registry has and the store, by that name, has not."""
    name = f"{registry}/test/tiny-{uuid.uuid4().hex[:8]}:1"
    engine.tag_image(tiny, name)
    try:
        push(engine, name)
    finally:
        engine.remove_image(name)
    assert engine.inspect_image(name) is None
    yield name
    engine.remove_image(name)


def push(engine: Engine, name: str) -> None:
    """Push with the engine's own command line: podjig itself never pushes."""
    assert urlsplit(engine.info.address).scheme == "unix"
    command = ["podman", "--url", engine.info.address, "push", "--tls-verify=false", name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_a_missing_image_is_pulled_and_runs(engine: Engine, pushed: str) -> None:
    with GenericContainer(pushed, command="sleep 60") as container:
        assert container.exec("echo hello").output == b"hello\n"
    assert engine.inspect_image(pushed) is not None


def test_pull_policies(engine: Engine, pushed: str) -> None:
    with pytest.raises(ImageNotFound, match="pull policy is 'never'"):
        ensure_image(engine, pushed, policy="never")
    first = ensure_image(engine, pushed, policy="missing")
    assert ensure_image(engine, pushed, policy="never").id == first.id
    assert ensure_image(engine, pushed, policy="always").id == first.id


def test_always_takes_what_the_registry_has_now(engine: Engine, pushed: str, tiny: str, tmp_path: Path) -> None:
    before = ensure_image(engine, pushed)
    (tmp_path / "Containerfile").write_text(f"FROM {tiny}\nENV NEW=1\n")
    with DockerImage(tmp_path) as newer:
        engine.tag_image(newer.tag, pushed)
        push(engine, pushed)
    engine.tag_image(tiny, pushed)
    assert ensure_image(engine, pushed, policy="missing").id == before.id
    assert ensure_image(engine, pushed, policy="always").id != before.id


def test_newer_falls_back_to_the_local_image(engine: Engine, registry: str, tiny: str) -> None:
    name = f"{registry}/test/only-local-{uuid.uuid4().hex[:8]}:1"
    engine.tag_image(tiny, name)
    try:
        assert ensure_image(engine, name, policy="newer").id
        with pytest.raises(ImagePullError):
            ensure_image(engine, name, policy="always")
    finally:
        engine.remove_image(name)


def test_an_unknown_tag_is_named_with_the_registrys_reason(engine: Engine, registry: str) -> None:
    name = f"{registry}/test/nothing:9"
    with pytest.raises(ImagePullError) as caught:
        ensure_image(engine, name)
    assert name in caught.value.message
    assert "check name and tag" in caught.value.hint


def test_an_unreachable_registry_is_an_error_and_not_an_empty_image(engine: Engine) -> None:
    with pytest.raises(ImagePullError, match="127.0.0.1:1/test/nothing"):
        ensure_image(engine, "127.0.0.1:1/test/nothing:1")


def test_a_pull_tells_how_it_goes(engine: Engine, pushed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(progress, "_QUIET_FOR", 0.0)
    progress.send_to(lines.append)
    try:
        ensure_image(engine, pushed, policy="always")
    finally:
        progress.send_to(None)
    assert lines[0].startswith(f"podjig: pulling {pushed}")
    assert "done in" in lines[-1]
