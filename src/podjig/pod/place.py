"""Where the members of a pod run: in a native pod, or in the namespaces of a container that stands in for one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from podjig.cleanup.labels import Kind
from podjig.cleanup.session import Session
from podjig.engine.protocol import Engine
from podjig.engine.values import PublishedPort
from podjig.pod.pause import pause_image
from podjig.spec import ContainerSpec, PodSpec


class Place(ABC):
    """A place, made when it is constructed, gone after :meth:`remove`.

    Attributes:
        engine: The engine.
        id: What the engine calls it.
        kind: What it is to the engine.
    """

    kind: ClassVar[Kind]

    def __init__(self, engine: Engine, id: str) -> None:
        self.engine = engine
        self.id = id

    @abstractmethod
    def place(self, spec: ContainerSpec) -> ContainerSpec:
        """Return ``spec`` as it runs here."""

    @abstractmethod
    def published(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        """Return where the host publishes the members' ports."""

    @abstractmethod
    def remove(self, members: list[str]) -> None:
        """Remove it with its members, given by their ids."""


class NativePod(Place):
    """A pod of the engine's own."""

    kind = "pod"

    def __init__(self, engine: Engine, spec: PodSpec, session: Session | None) -> None:
        """Make it."""
        if session is not None:
            spec = replace(spec, labels={**spec.labels, **session.labels("pod")})
        super().__init__(engine, engine.create_pod(spec))
        self._published: Mapping[str, tuple[PublishedPort, ...]] | None = None

    def place(self, spec: ContainerSpec) -> ContainerSpec:
        return replace(spec, pod=self.id, ports=(), hostname=None, extra_hosts={}, networks=(), network_mode=None)

    def published(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        if self._published is None:  # fixed when it was made
            self._published = self.engine.inspect_pod(self.id).ports
        return self._published

    def remove(self, members: list[str]) -> None:  # noqa: ARG002  they go with it
        self.engine.remove_pod(self.id)


class Holder(Place):
    """A container that does nothing but hold the namespaces, for engines without pods."""

    kind = "container"

    def __init__(self, engine: Engine, spec: PodSpec, session: Session | None) -> None:
        """Make and start it."""
        self._hosts = dict(spec.extra_hosts)
        self._share = spec.share
        labels = dict(spec.labels)
        if session is not None:
            labels |= session.labels("container")
        holder = ContainerSpec(
            image=pause_image(engine, session),
            name=spec.name,
            hostname=spec.hostname or spec.name,
            ports=spec.ports,
            labels=labels,
            extra_hosts=spec.extra_hosts,
            network_mode=spec.network_mode,
            engine_options={"ipcns": {"nsmode": "shareable"}} if "ipc" in spec.share else {},
        )
        super().__init__(engine, engine.create_container(holder))
        try:
            engine.start_container(self.id)
        except BaseException:
            engine.remove_container(self.id)
            raise
        self._published: Mapping[str, tuple[PublishedPort, ...]] | None = None

    def place(self, spec: ContainerSpec) -> ContainerSpec:
        joined = {"nsmode": "container", "value": self.id}
        options = {f"{name}ns": joined for name in self._share if name != "net"}
        return replace(
            spec,
            ports=(),
            hostname=None,
            extra_hosts={},
            networks=(),
            network_mode=f"container:{self.id}",
            engine_options={**options, **spec.engine_options},
        )

    def published(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        if self._published is None:
            self._published = self.engine.inspect_container(self.id).ports
        return self._published

    def remove(self, members: list[str]) -> None:
        for member in members:  # engines refuse to remove a container in whose namespaces others run
            self.engine.remove_container(member)
        self.engine.remove_container(self.id)
