"""However a process ends, nothing of it is left after five seconds, and nothing of anybody else's was touched."""

from __future__ import annotations

import random

import pytest

from cleanup.torture import WAYS, torture
from cleanup.world import World

_SEED = random.SystemRandom().randrange(10**6)


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_left(world: World, way: str) -> None:
    said: list[str] = []
    count = {"SIGKILL": 3, "SIGKILL, pods": 2}.get(way, 1)
    tally = torture(world, {way: count}, chance=random.Random(f"{_SEED} {way}"), say=said.append)
    assert (tally.leaks, tally.touched) == ([], 0), said
