"""What a pod is made of, checked before anything is made: members, ports, order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from podjig.container import GenericContainer
from podjig.errors import AlreadyStartedError, DefinitionError, PortError
from podjig.spec import Port


@dataclass(frozen=True, kw_only=True)
class Member:
    """One member.

    Attributes:
        container: The container.
        depends_on: The members that must be ready before it starts.
        init: It runs to its successful end before the others start.
    """

    container: GenericContainer
    depends_on: tuple[GenericContainer, ...] = ()
    init: bool = False


def check_members(members: Sequence[Member]) -> None:
    """Refuse an empty pod, a stranger among the dependencies, a member that runs elsewhere.

    Raises:
        DefinitionError: The pod is empty, or a dependency is no member.
        AlreadyStartedError: A member is started already.
    """
    if not members:
        raise DefinitionError("the pod has no members", hint="give it containers: Pod(PostgresContainer(), ...)")
    inside = {id(member.container) for member in members}
    for member in members:
        if member.container.started:
            raise AlreadyStartedError(
                f"{member.container.description} is started already, and cannot join a pod",
                hint="give the pod containers that are not started; it starts them",
            )
        for needed in member.depends_on:
            if id(needed) not in inside:
                raise DefinitionError(
                    f"{member.container.description} depends on {needed.description}, which is not in the pod",
                    hint="add that one to the pod as well",
                )


def gather_ports(members: Iterable[Member]) -> tuple[Port, ...]:
    """Return the ports of all members.

    Raises:
        PortError: Two members have the same; in one network namespace only one can listen on it.
    """
    owners: dict[str, GenericContainer] = {}
    ports: list[Port] = []
    for member in members:
        for port in member.container.spec().ports:
            other = owners.get(port.key)
            if other is not None:
                raise PortError(
                    f"two members of the pod have port {port}: {other.description} and "
                    f"{member.container.description}; they share one network, where one can listen on it",
                    hint=f"give one of them another port (like PostgresContainer(port={port.container + 1})), "
                    "or put them in different pods",
                )
            owners[port.key] = member.container
            ports.append(port)
    return tuple(ports)


def start_order(members: Sequence[Member]) -> list[list[Member]]:
    """Return the members in waves: each needs only such as are in earlier ones.

    Raises:
        DefinitionError: They depend on each other in a circle, which the message shows.
    """
    waiting = list(members)
    done: set[int] = set()
    waves = []
    while waiting:
        wave = [member for member in waiting if all(id(needed) in done for needed in member.depends_on)]
        if not wave:
            raise DefinitionError(
                f"the members of the pod depend on each other in a circle: {_circle(waiting)}",
                hint="take one of these dependencies away",
            )
        waves.append(wave)
        done |= {id(member.container) for member in wave}
        waiting = [member for member in waiting if id(member.container) not in done]
    return waves


def _circle(waiting: Sequence[Member]) -> str:
    by_id: Mapping[int, Member] = {id(member.container): member for member in waiting}
    path = [waiting[0]]
    while True:
        needed = next(by_id[id(needed)] for needed in path[-1].depends_on if id(needed) in by_id)
        if needed in path:
            circle = [*path[path.index(needed) :], needed]
            return " -> ".join(member.container.description for member in circle)
        path.append(needed)
