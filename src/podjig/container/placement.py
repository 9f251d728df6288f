"""Where a container runs when not by itself: with others that share their namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from podjig.engine.protocol import Engine
from podjig.engine.values import PublishedPort
from podjig.spec import ContainerSpec


class Placement(Protocol):
    """A place among others: a pod, or what stands in for one."""

    @property
    def engine(self) -> Engine:
        """The engine that runs it."""

    def place(self, spec: ContainerSpec) -> ContainerSpec:
        """Return ``spec`` as it runs there: what is shared is not the container's own any more."""

    def published(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        """Return where the host publishes the ports of all that run there."""
