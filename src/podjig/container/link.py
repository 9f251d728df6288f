"""The network of a container made slow or lossy, by the kernel's traffic control inside its namespace."""

from __future__ import annotations

import json
import threading
from weakref import WeakValueDictionary

from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing
from podjig.network.namespaces import NetworkNamespace

_WHAT = "slow down the container's network"
_QUEUE = "500ms"  # how long a packet may wait for its turn before it is dropped
_KINDS = ("netem", "tbf")

_mutex = threading.RLock()


class Link:
    """Changes all interfaces of a container, the loopback too, from its construction on until :meth:`restore`.

    One takes the place of another in the same network namespace, which members of a pod share; restoring that other
    has no effect from then on. The namespace is held, so that a member that ends leaves no slow pod behind.

    Args:
        engine: The engine.
        id: The container.
        delay: Seconds added to each packet.
        jitter: Seconds by which that varies.
        loss: Share of packets that are lost.
        rate: Bits per second; unlimited where ``None``.

    Raises:
        ContainerExited: It does not run.
        CapabilityMissing: The kernel does not have it, or not for us.
    """

    def __init__(self, engine: Engine, id: str, *, delay: float, jitter: float, loss: float, rate: int | None) -> None:
        # A limit alone needs only the token bucket, which kernels without the emulator have too.
        self.kind: str = "netem" if delay or loss else "tbf"
        self._interfaces: set[str] = set()
        self._namespace: NetworkNamespace | None = NetworkNamespace(engine, id, what=_WHAT)
        with _mutex:
            self._change(self._namespace, delay=delay, jitter=jitter, loss=loss, rate=rate)
            before = _in_force.get(self._namespace.key)
            if before is not None:
                self._interfaces |= before.give_way()
            _in_force[self._namespace.key] = self

    def give_way(self) -> set[str]:
        """Have nothing to undo from now on, and return the interfaces that were changed."""
        self._namespace = None
        return self._interfaces

    def restore(self) -> None:
        """Undo it. Quiet where that has been done, by a restart, too, or by another that took its place."""
        with _mutex:
            namespace, self._namespace = self._namespace, None
            if namespace is None:
                return
            if _in_force.get(namespace.key) is self:
                del _in_force[namespace.key]
            for line in namespace.run(["tc", "qdisc", "show"], what=_WHAT).splitlines():
                # qdisc tbf 8001: dev eth0 root refcnt 2 rate 1Mbit burst 4Kb lat 500ms
                match line.split():
                    case ["qdisc", kind, _, "dev", interface, "root", *_]:
                        if kind in _KINDS and interface in self._interfaces:
                            namespace.run(["tc", "qdisc", "del", "dev", interface, "root"], what=_WHAT)

    def _change(
        self, namespace: NetworkNamespace, *, delay: float, jitter: float, loss: float, rate: int | None
    ) -> None:
        for interface in json.loads(namespace.run(["ip", "-j", "link"], what=_WHAT)):
            if "UP" not in interface["flags"]:
                continue
            command = ["tc", "qdisc", "replace", "dev", interface["ifname"], "root", self.kind]
            if self.kind == "netem":
                command += ["delay", _micro(delay), _micro(jitter), "loss", f"{loss:.4%}"]
                command += ["rate", f"{rate}bit"] if rate else []
            else:
                command += ["rate", f"{rate}bit", "burst", str(interface["mtu"] + 2048), "latency", _QUEUE]
            try:
                namespace.run(command, what=_WHAT)
            except CapabilityMissing as error:
                self.restore()
                if "unknown" in error.message:
                    error.hint = f"this kernel has no sch_{self.kind}; as root, 'modprobe sch_{self.kind}' may load it"
                raise
            self._interfaces.add(interface["ifname"])


_in_force: WeakValueDictionary[tuple[int, int], Link] = WeakValueDictionary()
"""By the key of its namespace. One of which nobody knows any more is not undone, and holds no namespace."""


def _micro(seconds: float) -> str:
    return f"{round(seconds * 1e6)}us"
