"""Where the members of a pod run: what a native pod and what stands in for one have in common."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar

from podjig.cleanup.labels import Kind
from podjig.cleanup.session import Keep
from podjig.container.definition import ContainerDefinition
from podjig.container.relay import Relays
from podjig.engine.parallel import side_by_side
from podjig.engine.protocol import Engine
from podjig.engine.values import PublishedPort
from podjig.errors import CapabilityMissing, ContainerStartError
from podjig.network.bridge import steady_bridge
from podjig.pod.hosts import lead
from podjig.pod.network_mode import is_made
from podjig.spec import LOOPBACK, ContainerSpec, PodSpec

_STARTS_AT_ONCE = 1
"""More starts at a time delay each other, in the engine and in the kernel: the first member, which mostly is the one
that takes longest to be ready, would begin later. That they become ready side by side is what saves time."""


_PATIENCE = 0.05
"""Seconds that a member waits for those named before it, which may still be pulled."""


class Place(ABC):
    """A place, made when it is constructed, gone after :meth:`remove`.

    Attributes:
        engine: The engine.
        id: What the engine calls it.
        kind: What it is to the engine.
        relays: The servers of this machine that its members reach.
        names: The names of each member, by its ``id()``.
        uses: What it cannot do without, besides its members.
        on_keep: Called when a member is to be kept, which means the whole place.
    """

    kind: ClassVar[Kind]

    def __init__(self, engine: Engine, id: str, spec: PodSpec, *, image: str | None) -> None:
        self.engine: Engine = engine
        self.id: str = id
        self.relays: Relays = Relays({})
        self.names: dict[int, list[str]] = {}
        networks: list[tuple[Kind, str]] = [("network", network.name) for network in spec.networks]
        self.uses: tuple[tuple[Kind, str], ...] = (*networks, *(() if image is None else (("image", image),)))
        self.on_keep: Callable[[Keep], None] | None = None
        self._spec = spec
        self._published: Mapping[str, tuple[PublishedPort, ...]] | None = None
        self._closed = self._joined = False
        self._hosts = dict(spec.extra_hosts)
        self._late: dict[str, str] = {}
        self._mutex = threading.Lock()
        self._turns = threading.Semaphore(_STARTS_AT_ONCE)
        self._listed: list[int] = []
        self._next = threading.Condition()

    @abstractmethod
    def place(self, spec: ContainerSpec) -> ContainerSpec:
        """Return ``spec`` as it runs here."""

    @abstractmethod
    def remove(self, members: Sequence[str]) -> None:
        """Remove it with its members, given by their ids. Quiet where it is gone."""

    @abstractmethod
    def _members(self) -> Sequence[str]:
        """Ask the engine for the ids of those that are in it."""

    @abstractmethod
    def _look(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        """Ask the engine for the published ports."""

    def published(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        """Return where the host publishes the members' ports; that was fixed when the place was made."""
        with self._mutex:
            if self._published is None:
                self._published = self._on_host() if self._spec.network_mode == "host" else self._look()
            return self._published

    def _on_host(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        return {port.key: (PublishedPort(host_ip=LOOPBACK, host=port.container),) for port in self._spec.ports}

    def expect(self, containers: Iterable[ContainerDefinition]) -> None:
        """Let those that are begun together have their turns in this order: mostly the slowest is named first."""
        with self._next:
            self._listed += map(id, containers)

    @contextmanager
    def turn(self, container: ContainerDefinition) -> Iterator[None]:
        """Enter to let the engine start a member."""
        mine = id(container)
        with self._next:
            self._next.wait_for(lambda: mine not in self._listed or self._listed[0] == mine, timeout=_PATIENCE)
        with self._turns:
            with self._next:
                self._listed = [other for other in self._listed if other != mine]
                self._next.notify_all()
            self._check_open()
            yield
            if not self._joined:
                self._joined = True  # the place's networks, with its first member
                for network in self._spec.networks:
                    steady_bridge(self.engine, network.name)

    @property
    def closed(self) -> bool:
        """Whether it is being removed, or is gone."""
        return self._closed

    def keep(self, keep: Keep) -> None:
        """Keep it with all its members."""
        if self.on_keep is not None:
            self.on_keep(keep)

    def name_of(self, container: ContainerDefinition) -> str:
        """Return a name under which the others find ``container``."""
        return next(iter(self.names.get(id(container), ())), "localhost")

    def let_reach(self, hosts: Mapping[str, str], host_ports: Mapping[int, int]) -> list[int]:
        """Have names and servers of this machine reached from the next start of a member on, where they are not yet.

        Args:
            hosts: Name -> address.
            host_ports: Port inside -> port of this machine.

        Returns:
            Those ports inside that are new.
        """
        self._late |= {name: address for name, address in hosts.items() if self._hosts.get(name) != address}
        return self.relays.add(host_ports)

    @property
    def lacking(self) -> bool:
        """Whether names or servers of this machine are still to be made known inside."""
        return bool(self._late) or self.relays.lacking or (bool(self._hosts) and self._apart)

    def set_up(self, engine: Engine, id: str) -> None:
        """Make them known.

        Raises:
            CapabilityMissing: That cannot be done from here.
        """
        if self.relays.lacking:
            self.relays.set_up(engine, id)
        late, self._late = self._late, {}
        if self._apart:
            self._lead(id, {**self._hosts, **late})
        for member in (self._members() if self._apart else [id]) if late else ():
            self._lead(member, late)
        self._hosts |= late

    @property
    def _apart(self) -> bool:
        """Whether each member has a file of hosts of its own, in which the engine does not write the pod's.

        So Podman does where the pod has no network of its own making.
        """
        return not is_made(self._spec.network_mode)

    def _lead(self, member: str, hosts: Mapping[str, str]) -> None:
        if lead(self.engine, member, hosts):
            return
        # Of members, localhost leads to the same place.
        needed = ", ".join(name for name, address in hosts.items() if address != LOOPBACK)
        if needed:
            raise CapabilityMissing(
                f"the name {needed} cannot be made known in the pod: the engine's files are not ours to write",
                hint="add the container that needs it before the pod starts, and leave network_mode out",
            )

    def end(self, members: Sequence[str]) -> None:
        """Take in no more members, and remove those given by their ids, so that who waits for them sees it.

        Not the place itself: engines may hang when a pod is removed while a member is being started.
        """
        self._close()
        failures = side_by_side(self.engine.remove_container, members)
        if failures:
            raise failures[0]

    def _close(self) -> None:
        self._closed = True
        self.relays.close()

    def _check_open(self) -> None:
        if self._closed:
            raise ContainerStartError("the pod is being removed, and takes in no more members")

    def _shared(self, spec: ContainerSpec) -> ContainerSpec:
        """Return ``spec`` without what is the place's.

        Raises:
            ContainerStartError: The place is being removed.
        """
        self._check_open()
        hostname = None if "uts" in self._spec.share else spec.hostname
        return replace(spec, ports=(), hostname=hostname, extra_hosts={}, networks=(), network_mode=None)
