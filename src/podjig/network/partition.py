"""Two members of a network that cannot reach each other.

Each is given a wrong hardware address for the other. What they send is lost without a word, as in a broken network:
connections hang and time out. Names resolve as before, others are not concerned, and nothing is connected anew.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable

from podjig.engine.protocol import Engine
from podjig.engine.values import NetworkInfo
from podjig.errors import CapabilityMissing, DefinitionError
from podjig.network.namespaces import NetworkNamespace

_WRONG = ("lladdr", "02:00:00:00:00:01", "nud", "permanent")
"""A hardware address that is locally administered, and none that an engine gives away."""


Entry = tuple[NetworkNamespace, str]
"""Where an entry is, and which: address and interface, as `ip` has them."""


class Partition:
    """Keeps two members of a network apart from its construction on, until :meth:`heal`.

    Args:
        engine: The engine.
        network: The network.
        first: The id of one.
        second: The id of the other.

    Raises:
        ContainerExited: One does not run.
        DefinitionError: One is not a member, or they are members of one pod.
        CapabilityMissing: Their namespaces cannot be changed from here.
    """

    def __init__(self, engine: Engine, network: NetworkInfo, first: str, second: str) -> None:
        self._engine, self._network = engine, network
        self._members = (first, second)
        self._what = f"part two members of network {network.name}"
        self._entries: list[Entry] = []
        self.renew()

    def renew(self) -> None:
        """Keep them apart where they are now: who restarts, or leaves and joins, has other addresses and no entries.

        Raises:
            As at the construction.
        """
        here, there = (NetworkNamespace(self._engine, member, what=self._what) for member in self._members)
        if here.key == there.key:
            one, other = (self._engine.inspect_container(member).name for member in self._members)
            raise DefinitionError(
                f"containers {one} and {other} cannot be parted: they are members of one pod, which share a network",
                hint="put them into different pods",
            )
        ours, theirs = (
            self._addresses(namespace, member) for namespace, member in zip((here, there), self._members, strict=True)
        )
        wanted = [*((here, entry) for entry in _entries(ours, theirs)), *((there, e) for e in _entries(theirs, ours))]
        places = {(namespace.key, entry) for namespace, entry in wanted}
        stale = [(namespace, entry) for namespace, entry in self._entries if (namespace.key, entry) not in places]
        self._entries = [*stale, *wanted]
        try:
            for namespace, entry in wanted:
                namespace.run(["ip", "neigh", "replace", *entry.split(), *_WRONG], what=self._what)
        except BaseException:
            self.heal()
            raise
        self._remove(stale)
        self._entries = wanted

    def heal(self) -> None:
        """Let them reach each other again. Quiet where one has left or ended."""
        entries, self._entries = self._entries, []
        self._remove(entries)

    def _addresses(self, namespace: NetworkNamespace, id: str) -> list[tuple[str, str]]:
        """Return (interface, address) pairs of a member."""
        subnets = [ipaddress.ip_network(subnet) for subnet in self._network.subnets]
        found = [
            (link["ifname"], address["local"])
            for link in json.loads(namespace.run(["ip", "-j", "addr"], what=self._what))
            for address in link["addr_info"]
            if any(ipaddress.ip_address(address["local"]) in subnet for subnet in subnets)
        ]
        if not found:
            raise DefinitionError(
                f"container {self._engine.inspect_container(id).name} is not in network {self._network.name}",
                hint="with_network() or connect() make it a member",
            )
        return found

    def _remove(self, entries: Iterable[Entry]) -> None:
        for namespace, entry in entries:
            try:
                namespace.run(["ip", "neigh", "del", *entry.split()], what=self._what)
            except CapabilityMissing:
                continue  # its interface is gone, and the entry with it


def _entries(own: list[tuple[str, str]], other: list[tuple[str, str]]) -> list[str]:
    interface = own[0][0]
    return [f"{address} dev {interface}" for _, address in other]
