"""The members of networks in each other's ``/etc/hosts``.

The name server of Podman 4 opens its sockets anew whenever a member of any network of that user starts or ends. A
query in that moment is refused or lost, and the resolver of a container then stalls for 5 s, or asks the next server,
which says that there is no such name. So the members that we start find each other without asking it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from podjig.engine.files import rewrite
from podjig.engine.values import ContainerInfo
from podjig.errors import ResourceNotFound


@dataclass
class _Member:
    """A container in networks.

    Attributes:
        aliases: Its aliases, by network.
        names: What it is called in all of them, as far as is known.
        hosts: Its file on this machine, once there is one.
        addresses: Its addresses by network, while it has them.
        written: The lines of others in its file.
    """

    aliases: dict[str, tuple[str, ...]]
    names: tuple[str, ...] = ()
    hosts: Path | None = None
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)


class MemberNames:
    """Which containers are in which networks under which names, and their files kept by that.

    Only for files of this machine that are ours to write; elsewhere the name server alone answers.

    Args:
        serves_names: Whether a network is one where members find each other by name; asked once for each.
        look: Returns what the engine knows of a container.
    """

    def __init__(self, serves_names: Callable[[str], bool], look: Callable[[str], ContainerInfo]) -> None:
        self._serves_names = serves_names
        self._look = look
        self._serving: dict[str, bool] = {}
        self._members: dict[str, _Member] = {}
        self._mutex = threading.Lock()

    def add(self, id: str, network: str, aliases: Sequence[str]) -> None:
        """Note that a container is, or will be, a member."""
        if network not in self._serving:
            try:
                self._serving[network] = self._serves_names(network)
            except ResourceNotFound:
                return  # gone meanwhile, as whoever starts the container will hear
        if not self._serving[network]:
            return
        with self._mutex:
            self._members.setdefault(id, _Member({})).aliases[network] = tuple(dict.fromkeys(aliases))

    def __contains__(self, id: str) -> bool:
        return id in self._members

    def prepared(self, id: str) -> bool:
        """Whether a member's network has been set up, now or before."""
        with self._mutex:
            return id in self._members and self._members[id].hosts is not None

    def update(self, id: str) -> None:
        """Take in where a member is now, and tell all. Nothing for what is none."""
        if id not in self._members:
            return
        info = self._look(id)
        with self._mutex:
            member = self._members.get(id)
            if member is None:
                return
            member.names = (info.name, id[:12])  # as the engine's name server has it
            networks = (info.raw.get("NetworkSettings") or {}).get("Networks") or {}
            member.addresses = {
                network: found
                for network in member.aliases
                if (found := _addresses(networks.get(network) or {})) and info.state.pid
            }
            hosts = info.raw.get("HostsPath")
            member.hosts = Path(hosts) if hosts else None
            self._write(anew=member)

    def id_of(self, container: str) -> str:
        """Return the full id of a container that is given by that, its beginning, or its name."""
        return container if container in self._members else self._look(container).id

    def leave(self, id: str, network: str | None = None) -> None:
        """Forget a member; of one network, if that is given."""
        with self._mutex:
            member = self._members.get(id)
            if member is None:
                return
            if network is None:
                del self._members[id]
            else:
                member.aliases.pop(network, None)
                member.addresses.pop(network, None)
            self._write()

    def ended(self, id: str) -> None:
        """Note that a member has no addresses until it starts again."""
        with self._mutex:
            if id in self._members:
                self._members[id].addresses = {}
                self._write()

    def forget_network(self, network: str) -> None:
        """Note that a network is gone; another of its name may come."""
        self._serving.pop(network, None)

    def _write(self, anew: _Member | None = None) -> None:
        """Tell all; also a member whose file the engine has just written, though it may know what there is to tell."""
        for member in self._members.values():
            lines = self._lines(member) if member.addresses else []
            if member.hosts is not None and (lines != member.written or member is anew):
                try:
                    _replace(member.hosts, member.written, lines)
                except OSError:
                    continue  # another user's, or just being removed: the name server answers
                member.written = lines

    def _lines(self, member: _Member) -> list[str]:
        """What the file of a member says of the members of its networks, itself included."""
        owners: dict[str, set[int]] = defaultdict(set)
        found: list[tuple[str, tuple[str, ...]]] = []
        for network in member.addresses:
            for number, other in enumerate(self._members.values()):
                names = (*other.names, *other.aliases.get(network, ()))
                for address in other.addresses.get(network, ()):
                    found.append((address, names))
                    for name in names:
                        owners[name].add(number)
        # Names that several have are the name server's, which gives all their addresses in turn.
        return [f"{address}\t{' '.join(name for name in names if len(owners[name]) == 1)}" for address, names in found]


def _addresses(network: dict[str, object]) -> tuple[str, ...]:
    return tuple(str(value) for key in ("IPAddress", "GlobalIPv6Address") if (value := network.get(key)))


def _replace(path: Path, old: Iterable[str], new: Sequence[str]) -> None:
    """Replace lines of ours."""
    ours = {*old, *new}
    rewrite(path, lambda lines: [*(line for line in lines if line not in ours), *new])
