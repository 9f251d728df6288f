from __future__ import annotations

from collections.abc import Iterator

import pytest

from cleanup.world import World


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A world of its own, where everything may be removed."""
    with World() as world:
        yield world
