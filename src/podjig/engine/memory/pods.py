"""Pods in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from podjig.engine.memory.container import MemoryContainer
from podjig.engine.memory.containers import ContainerVerbs
from podjig.engine.values import PodInfo, PublishedPort
from podjig.errors import NameInUse, PortInUse, ResourceNotFound
from podjig.spec import ContainerSpec, PodSpec


@dataclass(frozen=True, kw_only=True)
class MemoryPod:
    """One pod; its members know that they are in it."""

    id: str
    name: str
    spec: PodSpec
    ports: Mapping[str, tuple[PublishedPort, ...]]


class PodVerbs(ContainerVerbs):
    """Create, inspect, remove; and containers that join."""

    def __init__(self) -> None:
        super().__init__()
        self._pods: dict[str, MemoryPod] = {}

    def create_pod(self, spec: PodSpec) -> str:
        with self._at("create_pod"):
            number = next(self._numbers)
            name = spec.name or f"memory_pod_{number}"
            names = {pod.name for pod in self._pods.values()} | {one.name for one in self._containers.values()}
            if name in names:
                raise NameInUse(f"a pod or container named {name!r} exists already", hint="choose another name")
            running = [container.ports for container in self._containers.values() if container.status == "running"]
            taken = {
                (key.partition("/")[2], port.host)
                for ports in [*running, *(pod.ports for pod in self._pods.values())]
                for key, published in ports.items()
                for port in published
            }
            for port in spec.ports:
                if (port.protocol, port.host) in taken:
                    raise PortInUse(f"host port {port.host} is in use", hint="choose another")
            made = f"{number:064x}"
            ports = {
                port.key: (PublishedPort(host_ip=port.host_ip, host=port.host or next(self._ports)),)
                for port in spec.ports
            }
            self._pods[made] = MemoryPod(id=made, name=name, spec=spec, ports=ports)
            return made

    def inspect_pod(self, id: str) -> PodInfo:
        with self._at("inspect_pod"):
            pod = self._find_pod(id)
            members = self._members(pod)
            return PodInfo(
                id=pod.id,
                name=pod.name,
                status=_status([member.status for member in members]),
                hostname=pod.spec.hostname or "",
                containers=tuple(member.id for member in members),
                ports=pod.ports,
                labels=dict(pod.spec.labels),
            )

    def remove_pod(self, id: str) -> None:
        with self._at("remove_pod"):
            try:
                pod = self._find_pod(id)
            except ResourceNotFound:
                return
            for member in self._members(pod):
                self.remove_container(member.id)
            del self._pods[pod.id]

    def create_container(self, spec: ContainerSpec) -> str:
        if spec.pod is None:
            return super().create_container(spec)
        with self._changed:
            return super().create_container(replace(spec, pod=self._find_pod(spec.pod).id, ports=()))

    def _find_pod(self, id: str) -> MemoryPod:
        for pod in self._pods.values():
            if id in (pod.id, pod.name):
                return pod
        raise ResourceNotFound(f"there is no pod {id!r}")

    def _members(self, pod: MemoryPod) -> list[MemoryContainer]:
        return [container for container in self._containers.values() if container.spec.pod == pod.id]


def _status(members: list[str]) -> str:
    if "running" not in members:
        return "exited" if "exited" in members else "created"
    return "degraded" if "exited" in members else "running"
