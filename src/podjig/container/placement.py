"""Where a container runs when not by itself: with others that share their namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from podjig.cleanup.session import Keep
from podjig.engine.protocol import Engine
from podjig.engine.values import PublishedPort
from podjig.spec import ContainerSpec

if TYPE_CHECKING:
    from podjig.container.definition import ContainerDefinition


class Placement(Protocol):
    """A place among others: a pod, or what stands in for one."""

    @property
    def engine(self) -> Engine:
        """The engine that runs it."""

    def place(self, spec: ContainerSpec) -> ContainerSpec:
        """Return ``spec`` as it runs there: what is shared is not the container's own any more."""

    def name_of(self, container: ContainerDefinition) -> str:
        """Return a name under which the others find ``container``."""

    def turn(self, container: ContainerDefinition) -> AbstractContextManager[object]:
        """Enter to let the engine start ``container`` there; others wait, where that makes all of them faster."""

    @property
    def lacking(self) -> bool:
        """Whether something that programs there look for at their start is still to be set up."""

    def set_up(self, engine: Engine, id: str) -> None:
        """Set that up, from inside a container there that is prepared, or runs."""

    def keep(self, keep: Keep) -> None:
        """Keep it with all that runs there."""

    def published(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        """Return where the host publishes the ports of all that run there."""
