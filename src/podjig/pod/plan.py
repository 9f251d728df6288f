"""What a pod is made of, checked before anything is made: members, ports, order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from podjig.container import GenericContainer
from podjig.errors import AlreadyStartedError, DefinitionError, PortError
from podjig.spec import ContainerSpec, PodSpec, Port

Needed = GenericContainer | str
"""A member that another depends on: itself, or one of its names."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """One member.

    Attributes:
        container: The container.
        depends_on: The members that must be ready before it starts.
        init: It runs to its successful end before the others start.
    """

    container: GenericContainer
    depends_on: tuple[Needed, ...] = ()
    init: bool = False

    def needs(self) -> tuple[GenericContainer, ...]:
        """Return the members it depends on; for one that :func:`resolved` has returned."""
        return tuple(needed for needed in self.depends_on if isinstance(needed, GenericContainer))


def resolved(members: Sequence[Member], names: Mapping[int, Sequence[str]]) -> list[Member]:
    """Return the members with containers for the names that they depend on.

    Args:
        members: The members.
        names: The names of each, by its place among them.

    Raises:
        DefinitionError: There are no members, or one depends on what is not among them.
    """
    if not members:
        raise DefinitionError("the pod has no members", hint="give it containers: Pod(PostgresContainer(), ...)")
    known = {name: members[index].container for index, listed in names.items() for name in listed}
    inside = {id(member.container) for member in members if not member.init}
    found = []
    for member in members:
        needs = []
        for needed in member.depends_on:
            container = known.get(needed) if isinstance(needed, str) else needed
            if not isinstance(container, GenericContainer) or id(container) not in inside:
                what = container.description if isinstance(container, GenericContainer) else repr(needed)
                raise DefinitionError(
                    f"{member.container.description} depends on {what}, which is not in the pod",
                    hint=f"add that one to the pod as well; names in it: {', '.join(sorted(known)) or 'none'}",
                )
            needs.append(container)
        found.append(replace(member, depends_on=tuple(needs)))
    return found


def check_member(container: GenericContainer, spec: ContainerSpec, pod: PodSpec) -> None:
    """Refuse what a member cannot have of its own.

    Raises:
        AlreadyStartedError: It is started already.
        DefinitionError: It asks for a network, or a host name, while the pod's is shared.
    """
    if container.started:
        raise AlreadyStartedError(
            f"{container.description} is started already, by itself or in another pod",
            hint="give the pod containers that are not started; it starts them. A clone() is another container",
        )
    own = {
        "a network": ("networks=", bool(spec.networks)),
        "a network mode": ("network_mode=", spec.network_mode is not None),
        "a host name": ("hostname=", spec.hostname is not None and "uts" in pod.share),
    }
    for what, (argument, asked) in own.items():
        if asked:
            raise DefinitionError(
                f"{container.description} has {what} of its own, but the pod's members share the pod's",
                hint=f"give it to the pod: Pod(..., {argument}...)",
            )


def gather_ports(members: Iterable[Member]) -> tuple[Port, ...]:
    """Return the ports of all members but init containers.

    Raises:
        PortError: Two members have the same; in one network namespace only one can listen on it. Or two ask for the
            same port of the host.
    """
    owners: dict[str, GenericContainer] = {}
    on_host: dict[tuple[int, str], GenericContainer] = {}
    ports: list[Port] = []
    for container in (member.container for member in members if not member.init):
        for port in container.spec().ports:
            other = owners.get(port.key)
            if other is not None:
                free = port.container + 1
                way = f"with_port({free})" if hasattr(container, "with_port") else "another port"
                raise PortError(
                    f"two members of the pod have port {port}: {other.description} and {container.description}; "
                    "they share one network, where one can listen on it",
                    hint=f"give one of them {way}, or put them in different pods",
                )
            owners[port.key] = container
            if port.host is not None:
                taken = on_host.setdefault((port.host, port.protocol), container)
                if taken is not container:
                    raise PortError(
                        f"two members of the pod ask for port {port.host} of the host: {taken.description} and "
                        f"{container.description}",
                        hint="leave the choice to the engine, with with_exposed_ports()",
                    )
            ports.append(port)
    return tuple(ports)


def gather_hosts(specs: Iterable[tuple[GenericContainer, ContainerSpec]]) -> dict[str, str]:
    """Return the lines that members want in ``/etc/hosts``, which they share.

    Raises:
        DefinitionError: Two members want different addresses for one name.
    """
    hosts: dict[str, tuple[str, GenericContainer]] = {}
    for container, spec in specs:
        for name, address in spec.extra_hosts.items():
            there, other = hosts.setdefault(name, (address, container))
            if there != address:
                raise DefinitionError(
                    f"members of the pod share /etc/hosts, but {other.description} has {name} at {there} and "
                    f"{container.description} at {address}",
                    hint="use different names, or different pods",
                )
    return {name: address for name, (address, _) in hosts.items()}


def check_order(members: Sequence[Member]) -> None:
    """Refuse members of whom none could start first.

    Raises:
        DefinitionError: They depend on each other in a circle, which the message shows.
    """
    waiting = list(members)
    done: set[int] = set()
    while waiting:
        wave = [member for member in waiting if all(id(needed) in done for needed in member.needs())]
        if not wave:
            raise DefinitionError(
                f"the members of the pod depend on each other in a circle: {_circle(waiting)}",
                hint="take one of these dependencies away",
            )
        done |= {id(member.container) for member in wave}
        waiting = [member for member in waiting if id(member.container) not in done]


def _circle(waiting: Sequence[Member]) -> str:
    by_id = {id(member.container): member for member in waiting}
    path = [waiting[0]]
    while True:
        needed = next(by_id[id(needed)] for needed in path[-1].needs() if id(needed) in by_id)
        if needed in path:
            circle = [*path[path.index(needed) :], needed]
            return " -> ".join(member.container.description for member in circle)
        path.append(needed)
