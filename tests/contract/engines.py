"""The engines on which the contract is tried, and how each is reached.

One more engine is one more line in :data:`ENGINES`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from contract.tiny import tiny_script
from podjig.engine.discovery import current_engine
from podjig.engine.memory import MemoryEngine
from podjig.engine.protocol import Engine

PROCESSES = "processes"
"""Containers are real processes: they see users, mounts, limits and signals, and their ports answer."""
REGISTRY = "registry"
"""Names that no registry has are looked for in one."""


@dataclass(frozen=True, kw_only=True)
class Reach:
    """One engine.

    Attributes:
        id: Its name in the ids of tests.
        connect: Returns it, given the name of the tiny image.
        abilities: What a test may need of it.
        rootful: It belongs to the part of the suite that root runs.
    """

    id: str
    connect: Callable[[str], Engine]
    abilities: frozenset[str]
    rootful: bool = False

    def param(self) -> object:
        """It as a parameter."""
        return pytest.param(self, id=self.id, marks=[pytest.mark.rootful] if self.rootful else [])


def _memory(tiny_image: str) -> Engine:
    engine = MemoryEngine()
    engine.add_image(tiny_image, script=lambda spec: tiny_script(engine, spec), command=("sh",))
    return engine


_ROOT = os.geteuid() == 0

ENGINES = (
    Reach(id="memory", connect=_memory, abilities=frozenset()),
    Reach(
        id="podman-rootful" if _ROOT else "podman",
        connect=lambda _: current_engine(),
        abilities=frozenset({PROCESSES, REGISTRY}),
        rootful=_ROOT,
    ),
)
