"""What a pod's network mode means for ports: those its members have, and those of this machine that they reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from podjig.container import GenericContainer
from podjig.container.relay import HOST_INSIDE, HOST_NAMES, another_port
from podjig.errors import DefinitionError, PortError
from podjig.spec import LOOPBACK, Port

_NOT_MADE = ("none", "host", "container", "ns", "path")
"""Modes in which no network is set up for the pod, so that nothing is published."""


def is_made(mode: str | None) -> bool:
    """Whether the engine sets up a network for a pod of this mode."""
    return (mode or "").partition(":")[0] not in _NOT_MADE


def check_published(mode: str | None, ports: Iterable[tuple[GenericContainer, Port]]) -> None:
    """Refuse ports that cannot be reached in a mode.

    Args:
        mode: The pod's network mode.
        ports: The ports of its members.

    Raises:
        PortError: Naming each of them.
    """
    if is_made(mode):
        return
    on_host = mode == "host"
    lost = [(member, port) for member, port in ports if not on_host or port.host not in (None, port.container)]
    if not lost:
        return
    listed = ", ".join(f"{port} of {member.description}" for member, port in lost)
    if on_host:
        raise PortError(
            f"network_mode 'host' cannot publish on another port: {listed}",
            hint="members listen on this machine's own network: use with_exposed_ports(), the number stays the same",
        )
    raise PortError(
        f"a pod with network_mode {mode!r} publishes no ports, but has {listed}",
        hint="use network_mode 'host', where members listen on this machine's own network; or give the members no "
        "ports, and wait for a command or a log line: they meet on localhost all the same",
    )


def gather_host_ports(mode: str | None, members: Iterable[GenericContainer], ports: Iterable[Port]) -> dict[int, int]:
    """Return the servers of this machine that members reach: port inside -> port of this machine.

    Args:
        mode: The pod's network mode.
        members: All its members.
        ports: Those that its members listen on.

    Raises:
        PortError: Two want different servers on one port; or a member listens on it.
        DefinitionError: Its network is another's.
    """
    found: dict[int, int] = {}
    owners: dict[int, GenericContainer] = {}
    taken = {port.container for port in ports if port.protocol == "tcp"}
    for member in members:
        for inside, port in member.host_ports.items():
            if found.setdefault(inside, port) != port:
                raise PortError(
                    f"members of the pod want two servers of this machine on port {inside}: "
                    f"{owners[inside].description} that on {found[inside]}, {member.description} that on {port}",
                    hint=f"they share one network; give one another port there: expose_host_port({port}, inside=...)",
                )
            owners.setdefault(inside, member)
            if mode == "host" and inside != port:
                raise PortError(
                    f"{member.description} shares this machine's network, where the server on {port} is not "
                    f"on {inside}",
                    hint="leave out inside=",
                )
            if mode != "host" and inside in taken:
                raise PortError(
                    f"{member.description} wants port {port} of this machine on port {inside}, which a member of the "
                    "pod listens on itself",
                    hint=f"give it another port there: expose_host_port({port}, inside={another_port(inside)})",
                )
    if found and not is_made(mode) and mode not in ("none", "host"):
        raise DefinitionError(
            f"the pod shares a network by {mode!r}, and cannot have ports of this machine of its own",
            hint="call expose_host_port() of the container whose network it is",
        )
    return {} if mode == "host" else found


def host_names(mode: str | None, hosts: Mapping[str, str]) -> dict[str, str]:
    """Return lines of ``/etc/hosts`` with this machine where it is in a mode."""
    if mode != "host":
        return dict(hosts)
    return {
        name: LOOPBACK if name in HOST_NAMES and address == HOST_INSIDE else address for name, address in hosts.items()
    }
