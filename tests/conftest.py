"""What all tests share: the engine, and proof at the end that nothing of theirs is left."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from podjig.engine.discovery import current_engine
from podjig.engine.protocol import Engine

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that podjig finds on this machine."""
    return current_engine()


@pytest.fixture
def labels(engine: Engine) -> Iterator[dict[str, str]]:
    """Labels for a test's containers; at its end none of them may be left."""
    mine = {"podjig-test": uuid.uuid4().hex}
    yield mine
    left = [container.name for container in engine.list_containers(labels=mine)]
    assert left == [], "the test left containers"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """As root, some tests are made once more: the engine's networks and control groups are others there."""
    for item in items:
        if os.geteuid() == 0 and item.get_closest_marker("also_rootful") is not None:
            item.add_marker(pytest.mark.rootful)
