"""The networks of the engine in memory."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from podjig.engine.memory.core import Core
from podjig.engine.memory.volumes import carries
from podjig.engine.values import NetworkInfo
from podjig.errors import EngineRequestError, NameInUse, ResourceNotFound, SubnetInUse
from podjig.spec import NetworkAttachment, NetworkSpec

_POOL = ipaddress.ip_network("10.89.0.0/16")
_PREFIX = 24


@dataclass
class MemoryNetwork:
    """One network, and the aliases of its members, by their ids."""

    info: NetworkInfo
    members: dict[str, tuple[str, ...]] = field(default_factory=dict)


class NetworkVerbs(Core):
    """Create, inspect, remove, list, connect, disconnect."""

    def create_network(self, spec: NetworkSpec) -> str:
        with self._at("create_network"):
            if any(network.info.name == spec.name for network in self._networks.values()):
                raise NameInUse(f"a network named {spec.name!r} exists already", hint="choose another name")
            used = [ipaddress.ip_network(subnet) for known in self._networks.values() for subnet in known.info.subnets]
            wanted = [ipaddress.ip_network(subnet) for subnet in spec.subnets]
            for subnet in wanted:
                if any(other.version == subnet.version and other.overlaps(subnet) for other in used):
                    raise SubnetInUse(
                        f"network {spec.name!r} cannot have its subnet: {subnet} is used", hint="choose another"
                    )
            if not wanted:
                pool = _POOL.subnets(new_prefix=_PREFIX)
                wanted = [next(free for free in pool if not any(free.overlaps(other) for other in used))]
            made = f"{next(self._numbers):064x}"
            info = NetworkInfo(
                id=made,
                name=spec.name,
                driver=spec.driver,
                subnets=tuple(str(subnet) for subnet in wanted),
                gateways=tuple(str(subnet[1]) for subnet in wanted),
                internal=spec.internal,
                ipv6=spec.ipv6,
                dns=spec.dns,
                labels=dict(spec.labels),
            )
            self._networks[made] = MemoryNetwork(info)
            return made

    def inspect_network(self, id: str) -> NetworkInfo:
        with self._at("inspect_network"):
            return self._network(id).info

    def remove_network(self, id: str) -> None:
        with self._at("remove_network"):
            try:
                network = self._network(id)
            except ResourceNotFound:
                return
            if network.members:
                raise EngineRequestError(f"cannot remove network {id!r}: {len(network.members)} container(s) are in it")
            del self._networks[network.info.id]

    def list_networks(self, *, labels: Mapping[str, str] | None = None) -> list[NetworkInfo]:
        with self._at("list_networks"):
            return [network.info for network in self._networks.values() if carries(network.info.labels, labels)]

    def connect_network(self, id: str, container: str, *, aliases: Sequence[str] = ()) -> None:
        with self._at("connect_network"):
            network, member = self._network(id), self._find(container).id
            if member in network.members:
                raise EngineRequestError(f"cannot connect container {container!r} to network {id!r}: it is in it")
            network.members[member] = tuple(aliases)

    def disconnect_network(self, id: str, container: str) -> None:
        with self._at("disconnect_network"):
            network, member = self._network(id), self._find(container).id
            if member not in network.members:
                raise ResourceNotFound(f"cannot take container {container!r} out of network {id!r}: it is not in it")
            del network.members[member]

    def _network(self, id: str) -> MemoryNetwork:
        for network in self._networks.values():
            if id in (network.info.id, network.info.name):
                return network
        raise ResourceNotFound(f"there is no network {id!r}", hint="make it before it is joined")

    def _join(self, container: str, networks: Sequence[NetworkAttachment]) -> None:
        """Let a new container join networks."""
        for network, joined in [(self._network(joined.name), joined) for joined in networks]:
            network.members[container] = tuple(joined.aliases)

    def _leave(self, container: str) -> None:
        """Take a removed container out of its networks."""
        for network in self._networks.values():
            network.members.pop(container, None)

    def _joined(self, container: str) -> dict[str, tuple[str, ...]]:
        """Return the networks of a container, and its aliases there."""
        return {
            network.info.name: network.members[container]
            for network in self._networks.values()
            if container in network.members
        }
