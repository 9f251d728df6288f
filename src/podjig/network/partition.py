"""Two members of a network that cannot reach each other.

Each is given a wrong hardware address for the other. What they send is lost without a word, as in a broken network:
connections hang and time out. Names resolve as before, others are not concerned, and nothing is connected anew.
"""

from __future__ import annotations

import ipaddress
import json

from podjig.engine.protocol import Engine
from podjig.engine.values import NetworkInfo
from podjig.errors import CapabilityMissing, ContainerExited, DefinitionError, ResourceNotFound
from podjig.network.namespaces import first_process, run_inside

_NOBODY = "02:00:00:00:00:01"  # locally administered, and none that an engine gives away


class Partition:
    """Keeps two members of a network apart from its construction on, until :meth:`heal`.

    Args:
        engine: The engine.
        network: The network.
        first: The id of one.
        second: The id of the other.

    Raises:
        DefinitionError: One is not a member.
        CapabilityMissing: Their namespaces cannot be changed from here.
    """

    def __init__(self, engine: Engine, network: NetworkInfo, first: str, second: str) -> None:
        self._engine = engine
        self._what = f"part two members of network {network.name}"
        here, there = self._addresses(network, first), self._addresses(network, second)
        self._lines: dict[str, list[str]] = {first: self._entries(here, there), second: self._entries(there, here)}
        try:
            for member, lines in self._lines.items():
                self._change(member, [f"neigh replace {line} lladdr {_NOBODY} nud permanent" for line in lines])
        except BaseException:
            self.heal()
            raise

    def heal(self) -> None:
        """Let them reach each other again. Quiet where one has left or ended."""
        for member, lines in self._lines.items():
            try:
                self._change(member, [f"neigh del {line}" for line in lines], force=True)
            except (ContainerExited, ResourceNotFound, CapabilityMissing):
                continue  # gone, and what was changed with it

    def _addresses(self, network: NetworkInfo, id: str) -> list[tuple[str, str]]:
        """Return (interface, address) pairs of a member."""
        pid = first_process(self._engine, id, what=self._what)
        subnets = [ipaddress.ip_network(subnet) for subnet in network.subnets]
        found = [
            (link["ifname"], address["local"])
            for link in json.loads(run_inside(pid, ["ip", "-j", "addr"], what=self._what))
            for address in link["addr_info"]
            if any(ipaddress.ip_address(address["local"]) in subnet for subnet in subnets)
        ]
        if not found:
            raise DefinitionError(
                f"container {self._engine.inspect_container(id).name} is not in network {network.name}",
                hint="with_network() or connect() make it a member",
            )
        return found

    def _entries(self, own: list[tuple[str, str]], other: list[tuple[str, str]]) -> list[str]:
        interface = own[0][0]
        return [f"{address} dev {interface}" for _, address in other]

    def _change(self, id: str, lines: list[str], *, force: bool = False) -> None:
        pid = first_process(self._engine, id, what=self._what)
        command = ["ip", *(["-force"] if force else []), "-batch", "-"]
        run_inside(pid, command, what=self._what, input="\n".join(lines) + "\n")
