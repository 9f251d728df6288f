"""The bridge of a network, kept steady.

A bridge has the lowest hardware address among those of its ports, unless given one. So it changes when a member with a
low one comes or goes, and the others, who remember the old one, reach neither DNS nor gateway for up to a minute.
Podman 4 gives it none.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing
from podjig.network.namespaces import run_inside

_DNS_SERVER = "aardvark-dns"  # runs where the bridges are


def steady_bridge(engine: Engine, network: str) -> bool:
    """Have the bridge of a network keep the hardware address it has now. Called when a member has joined.

    Returns:
        Whether that was done. Not where the bridge is not ours to change (another user's engine, or on another
        machine), nor where there is none.
    """
    if sys.platform != "linux" or not engine.info.local or engine.info.name != "podman":
        return False
    info = engine.inspect_network(network)
    if info.driver != "bridge" or not info.interface or not info.gateways:
        return False
    return any(_keep_address(pid, info.interface, info.gateways) for pid in dns_servers())


def _keep_address(pid: int, interface: str, gateways: tuple[str, ...]) -> bool:
    try:
        (shown,) = json.loads(run_inside(pid, ["ip", "-j", "addr", "show", "dev", interface], what="find the bridge"))
        if not {address["local"] for address in shown["addr_info"]} & set(gateways):
            return False
        run_inside(
            pid, ["ip", "link", "set", "dev", interface, "address", shown["address"]], what="keep the bridge steady"
        )
    except CapabilityMissing:
        return False  # another network's, or not ours to change: it works, if not as steadily
    return True


def dns_servers() -> Iterator[int]:
    """Yield the processes of ours that serve names to networks."""
    for entry in Path("/proc").iterdir():
        try:
            if (
                entry.name.isdecimal()
                and (entry / "comm").read_text(encoding="utf-8").strip() == _DNS_SERVER
                and entry.stat().st_uid == os.geteuid()
            ):
                yield int(entry.name)
        except OSError:
            continue  # it ended meanwhile
