from __future__ import annotations

from collections.abc import Iterator

import pytest

from cleanup.world import World


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A world for tests that leave it as it was."""
    with World() as world:
        yield world


@pytest.fixture
def own_world() -> Iterator[World]:
    """A world for a test that breaks it."""
    with World() as world:
        yield world
