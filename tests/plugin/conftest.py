"""Projects of users, run by a pytest of their own."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from podjig import config
from podjig.engine.protocol import Engine

SUITE = Path(__file__).parents[2]


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> pytest.Pytester:
    """An empty project that runs on the engine and the images of this suite."""
    home = os.environ["HOME"]
    pytester: pytest.Pytester = request.getfixturevalue("pytester")
    monkeypatch.setenv("HOME", home)  # pytester makes it an empty one, in which there are no images
    monkeypatch.delenv("CI", raising=False)  # there pytest's last lines are not cut short
    images = config.load(folder=SUITE)[config.IMAGES]
    monkeypatch.setenv("PODJIG_IMAGE_MAP", ",".join(f"{name}={stand_in}" for name, stand_in in images.items()))
    return pytester


@pytest.fixture
def mark(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A label that the project's containers carry; at the end none of them may be left."""
    value = uuid.uuid4().hex
    monkeypatch.setenv("MARK", value)
    yield value
    assert engine.list_containers(labels={"podjig-test": value}) == []


@pytest.fixture
def no_engine(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which there is no engine to be found."""
    for variable in ("PATH", "XDG_RUNTIME_DIR", "HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    for variable in ("CONTAINER_HOST", "DOCKER_HOST", "PODJIG_ENGINE"):
        monkeypatch.delenv(variable, raising=False)
    project.makepyfile(no_podman="from podjig.engine import binary\nbinary._FOLDERS = ()")
    monkeypatch.setenv("PYTEST_PLUGINS", "no_podman")
