"""The network of a container made slow or lossy, by the kernel's traffic control inside its namespace."""

from __future__ import annotations

import json

from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing
from podjig.network.namespaces import first_process, run_inside, shares_our_network

_WHAT = "slow down the container's network"
_QUEUE = "500ms"  # how long a packet may wait for its turn before it is dropped


class Link:
    """Changes all interfaces of a container, the loopback too, from its construction on until :meth:`restore`.

    Args:
        engine: The engine.
        id: The container.
        delay: Seconds added to each packet.
        jitter: Seconds by which that varies.
        loss: Share of packets that are lost.
        rate: Bits per second; unlimited where ``None``.

    Raises:
        CapabilityMissing: The kernel does not have it, or not for us.
    """

    def __init__(self, engine: Engine, id: str, *, delay: float, jitter: float, loss: float, rate: int | None) -> None:
        # A limit alone needs only the token bucket, which kernels without the emulator have too.
        self.kind: str = "netem" if delay or loss else "tbf"
        self._engine, self._id = engine, id
        self._interfaces: list[str] = []
        pid = first_process(engine, id, what=_WHAT)
        if shares_our_network(pid):
            raise CapabilityMissing(f"cannot {_WHAT}: it is this machine's own", hint="leave network mode 'host' out")
        for interface in json.loads(run_inside(pid, ["ip", "-j", "link"], what=_WHAT)):
            if "UP" not in interface["flags"]:
                continue
            command = ["tc", "qdisc", "replace", "dev", interface["ifname"], "root", self.kind]
            if self.kind == "netem":
                command += ["delay", _micro(delay), _micro(jitter), "loss", f"{loss:.4%}"]
                command += ["rate", f"{rate}bit"] if rate else []
            else:
                command += ["rate", f"{rate}bit", "burst", str(interface["mtu"] + 2048), "latency", _QUEUE]
            try:
                run_inside(pid, command, what=_WHAT)
            except CapabilityMissing as error:
                self.restore()
                if "unknown" in error.message:
                    error.hint = f"this kernel has no sch_{self.kind}; as root, 'modprobe sch_{self.kind}' may load it"
                raise
            self._interfaces.append(interface["ifname"])

    def restore(self) -> None:
        """Undo it.

        Raises:
            ContainerExited: The container ended meanwhile.
            ResourceNotFound: It was removed meanwhile.
        """
        if self._interfaces:
            pid = first_process(self._engine, self._id, what=_WHAT)
            while self._interfaces:
                run_inside(pid, ["tc", "qdisc", "del", "dev", self._interfaces.pop(), "root"], what=_WHAT)


def _micro(seconds: float) -> str:
    return f"{round(seconds * 1e6)}us"
