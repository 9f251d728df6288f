"""A network: containers that find each other by name."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from podjig.cleanup.session import Session, session_of
from podjig.engine.discovery import current_engine
from podjig.engine.protocol import Engine
from podjig.engine.values import NetworkInfo
from podjig.errors import (
    AlreadyStartedError,
    CapabilityMissing,
    DefinitionError,
    NotStartedError,
    PodjigError,
    ResourceNotFound,
    SubnetInUse,
)
from podjig.network.bridge import steady_bridge
from podjig.network.fault import Fault
from podjig.network.partition import Partition
from podjig.spec import NetworkSpec
from podjig.spec.hostname import check_hostname

if TYPE_CHECKING:
    from typing_extensions import Self

_TRIES = 5
"""How often the engine may choose a subnet that another process of it has just taken."""

_IPV6 = Path("/proc/net/if_inet6")


class Network:
    """A network of containers, who find each other by name and alias.

    Constructing does no I/O; :meth:`create`, or entering a ``with`` block, makes it; :meth:`remove`, or leaving the
    block, removes it, when its members are gone::

        with Network() as network:
            pg = PostgresContainer("postgres:16").with_network(network).with_network_aliases("db")

    Args:
        name: Its name; one that no other has where ``None``.
        driver: The engine's driver.
        internal: It has no way out: its members reach each other, and nothing else.
        subnet: Its address range, like ``"10.77.0.0/24"``, or several; the engine chooses a free one where ``None``.
        ipv6: It has IPv6 addresses as well.
        dns: Its members find each other by name.
        options: The driver's options, like ``{"mtu": "1400"}``.
        labels: Labels.
        engine: The engine to make it on; the discovered one where ``None``.

    Raises:
        DefinitionError: The name or a subnet is malformed.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        driver: str = "bridge",
        internal: bool = False,
        subnet: str | Sequence[str] | None = None,
        ipv6: bool = False,
        dns: bool = True,
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        engine: Engine | None = None,
    ) -> None:
        self._spec = NetworkSpec(
            name=f"podjig-{os.urandom(6).hex()}" if name is None else name,
            driver=driver,
            internal=internal,
            subnets=(subnet,) if isinstance(subnet, str) else tuple(subnet or ()),
            ipv6=ipv6,
            dns=dns,
            options=dict(options or {}),
            labels=dict(labels or {}),
        )
        self._chosen_engine = engine
        self._engine: Engine | None = None
        self._session: Session | None = None
        self._id: str | None = None
        self._pid = 0
        self._partitions: dict[frozenset[str], tuple[Partition, Fault]] = {}

    @property
    def name(self) -> str:
        """Its name."""
        return self._spec.name

    @property
    def id(self) -> str:
        """Its full id.

        Raises:
            NotStartedError: It is not made.
        """
        self._made()
        assert self._id is not None
        return self._id

    def create(self) -> Self:
        """Make it, and return self.

        Raises:
            AlreadyStartedError: It is made.
            EngineNotFound: There is no container engine.
            NameInUse: Another network has its name.
            SubnetInUse: Its subnet is taken.
            CapabilityMissing: It is to have IPv6, which this machine has not.
        """
        if self._id is not None:
            raise AlreadyStartedError(f"{self} is made already", hint="remove() it first, or use another")
        engine = self._chosen_engine or current_engine()
        if self._spec.ipv6 and engine.info.local and _IPV6.parent.exists() and not _IPV6.exists():
            raise CapabilityMissing(f"{self} cannot have IPv6: this machine has none", hint="leave ipv6 out")
        session = session_of(engine)
        self._pid = os.getpid()
        with nullcontext() if session is None else session.making():
            self._id = self._create(engine, session)
            if session is not None:
                session.opened("network", self.name, self._forget)
        self._engine, self._session = engine, session
        return self

    def remove(self) -> None:
        """Remove it. Quiet where it is not made, or gone.

        One with a container that is kept is only let go of. Without effect in a forked child: the network is its
        parent's.

        Raises:
            EngineRequestError: It has members.
        """
        if self._id is None or self._engine is None or self._pid != os.getpid():
            return
        self.heal()
        if self._session is None or self._session.folders.kept.get(self.name) is None:
            self._engine.remove_network(self.name)
        self._forget()

    def connect(self, container: Any, aliases: Sequence[str] = ()) -> None:
        """Let a running container join, one that was started in a network.

        Args:
            container: The container, or its id or name.
            aliases: Names under which the others find it; those of :meth:`with_network_aliases` where there are none.

        Raises:
            NotStartedError: The network is not made, or the container not started.
            ResourceNotFound: There is no such container, or the network was removed meanwhile.
            EngineRequestError: The engine refuses: it is a member, or was started without a network.
        """
        names = tuple(aliases) or tuple(getattr(container, "network_aliases", ()))
        for alias in names:
            check_hostname(alias)
        engine = self._made()
        engine.connect_network(self.name, _id_of(container), aliases=names)
        steady_bridge(engine, self.name)

    def disconnect(self, container: Any) -> Fault:
        """Take a running container out.

        Returns:
            The fault: undone (at the end of its ``with`` block, too), the container is a member again, under the same
            aliases, mostly at another address. Else it stays out. Undoing is quiet where the container or the network
            is gone, or it is a member already.

        Raises:
            NotStartedError: The network is not made, or the container not started.
            ResourceNotFound: It is not a member, or the network was removed meanwhile.
        """
        engine = self._made()
        info = engine.inspect_container(_id_of(container))
        engine.disconnect_network(self.name, info.id)
        return Fault("the engine", lambda: self._rejoin(engine, info.id, info.aliases.get(self.name, ())))

    def partition(self, a: Any, b: Any) -> Fault:
        """Keep two members from reaching each other; what they send is lost without a word.

        Others reach both, and so do tests by published ports. One that restarts, or leaves the network and joins it
        again, is not kept apart any more; part them again then.

        Args:
            a: A running container, or its id or name.
            b: Another.

        Returns:
            The fault, in force until it is undone, or :meth:`heal` is called.

        Raises:
            DefinitionError: They are one, or members of one pod, or one is not a member.
            ContainerExited: One does not run.
            ResourceNotFound: One is gone.
            CapabilityMissing: The engine's host does not let us; the message has its reason.
        """
        engine = self._made()
        first, second = (engine.inspect_container(_id_of(member)).id for member in (a, b))
        if first == second:
            raise DefinitionError("a container cannot be parted from itself", hint="name two containers")
        pair = frozenset((first, second))
        if pair in self._partitions:
            partition, fault = self._partitions[pair]
            try:
                partition.renew()
            except BaseException:
                fault.undo()
                raise
            return fault
        partition = Partition(engine, self.inspect(), first, second)

        def undo() -> None:
            self._partitions.pop(pair, None)
            partition.heal()

        fault = Fault("neighbour entries", undo)
        self._partitions[pair] = partition, fault
        return fault

    def heal(self, a: Any = None, b: Any = None) -> None:
        """End a partition of two members, or all of them. Quiet where there is none."""
        pairs = list(self._partitions)
        if a is not None and b is not None:
            engine = self._made()
            pairs = [frozenset(_full_id(engine, member) for member in (a, b))]
        for pair in pairs:
            if pair in self._partitions:
                self._partitions[pair][1].undo()

    def inspect(self) -> NetworkInfo:
        """Return what the engine knows of it.

        Raises:
            NotStartedError: It is not made.
            ResourceNotFound: It was removed meanwhile.
        """
        return self._made().inspect_network(self.name)

    def __enter__(self) -> Self:
        return self.create()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.remove()
        except PodjigError:
            if error is None:
                raise
            # The test's own error matters more; the session removes the network once its members are gone.

    def __str__(self) -> str:
        return f"network {self.name}"

    def __repr__(self) -> str:
        return f"<Network {self.name}{'' if self._id else ' not made'}>"

    def _create(self, engine: Engine, session: Session | None) -> str:
        spec = self._spec
        if session is not None:
            spec = replace(spec, labels={**spec.labels, **session.labels("network")})

        def create() -> str:
            for _ in range(_TRIES - 1):
                try:
                    return engine.create_network(spec)
                except SubnetInUse:
                    if spec.subnets:
                        raise
            return engine.create_network(spec)

        return create() if session is None else session.in_room("network", spec.name, create)

    def _rejoin(self, engine: Engine, container: str, aliases: Sequence[str]) -> None:
        with suppress(ResourceNotFound):  # gone, and the fault with it
            if self.name not in engine.inspect_container(container).networks:
                engine.connect_network(self.name, container, aliases=aliases)
                steady_bridge(engine, self.name)

    def _made(self) -> Engine:
        if self._engine is None or self._id is None:
            raise NotStartedError(f"{self} is not made", hint="call create(), or use it in a with block")
        return self._engine

    def _forget(self) -> None:
        """Be as before it was made."""
        if self._session is not None and self._id is not None:
            self._session.closed("network", self.name)
        self._engine = self._session = self._id = None
        self._partitions.clear()


def _full_id(engine: Engine, container: Any) -> str:
    """Return the full id of a container, or what it is given by where that is gone."""
    try:
        return engine.inspect_container(_id_of(container)).id
    except ResourceNotFound:
        return _id_of(container)


def _id_of(container: Any) -> str:
    """Return the id of a container given by itself, its id or its name."""
    if isinstance(container, str):
        return container
    known = getattr(container, "id", None)
    if not isinstance(known, str):
        raise DefinitionError(f"{container!r} is neither a container nor the id of one")
    return known
