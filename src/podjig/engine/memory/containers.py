"""Containers in memory: from creation to removal."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from podjig.engine.bind_source import check_bind_sources
from podjig.engine.memory.container import MemoryContainer
from podjig.engine.memory.files import FileTree
from podjig.engine.memory.networks import NetworkVerbs
from podjig.engine.memory.volumes import carries
from podjig.engine.signals import signal_number
from podjig.engine.values import ContainerInfo, ContainerSummary, PublishedPort
from podjig.errors import (
    CapabilityMissing,
    ContainerStartError,
    EngineRequestError,
    EngineTimeout,
    ImageNotFound,
    NameInUse,
    PortInUse,
)
from podjig.spec import ContainerSpec

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_KILL = 9
_HARMLESS = frozenset({17, 18, 23, 28})  # signals that end no process by default


class ContainerVerbs(NetworkVerbs):
    """Create, start, stop, remove, inspect, list, wait for containers."""

    def create_container(self, spec: ContainerSpec) -> str:
        with self._at("create_container"):
            check_bind_sources(spec)
            if spec.stop_signal is not None:
                signal_number(spec.stop_signal)
            image = self._images.find(spec.image)
            if image is None:
                raise ImageNotFound(f"image {spec.image!r} is not in the engine's store", hint="pull it")
            number = next(self._numbers)
            name = spec.name or f"memory_{number}"
            if not _NAME.fullmatch(name):
                raise EngineRequestError(f"cannot create container {name!r}: names match {_NAME.pattern}")
            if any(container.name == name for container in self._containers.values()):
                raise NameInUse(f"a container named {name!r} exists already", hint="choose another name, or remove it")
            made = f"{number:064x}"
            self._join(made, spec.networks)
            anonymous = image.info.volumes if spec.image_volumes == "anonymous" else ()
            volumes = tuple(f"{number:032x}{index:032x}" for index, _ in enumerate(anonymous))
            named = [mount.source for mount in spec.mounts if mount.kind == "volume"]
            for volume in (*volumes, *named):
                self._volumes.use(volume, made)
            script = image.script(spec)
            targets = [mount.target for mount in spec.mounts]
            self._containers[made] = MemoryContainer(
                id=made,
                name=name,
                spec=spec,
                image=image.info,
                script=script,
                files=FileTree(script.files, targets),
                volumes=volumes,
                ports={
                    port.key: (PublishedPort(host_ip=port.host_ip, host=port.host or next(self._ports)),)
                    for port in spec.ports
                },
            )
            return made

    def start_container(self, id: str) -> None:
        with self._at("start_container"):
            container = self._find(id)
            if container.status == "running":
                return
            if container.script.start_error:
                raise ContainerStartError(f"cannot start container {container.name!r}: {container.script.start_error}")
            taken = {
                (key.partition("/")[2], port.host)
                for other in self._containers.values()
                if other.status == "running"
                for key, ports in other.ports.items()
                for port in ports
            }
            for key, ports in container.ports.items():
                for port in ports:
                    if (key.partition("/")[2], port.host) in taken:
                        raise PortInUse(f"host port {port.host} is in use", hint="choose another")
            container.start(time.time(), next(self._pids))

    def init_container(self, id: str) -> None:
        with self._at("init_container"):
            self._find(id)

    def stop_container(self, id: str, *, timeout: float) -> None:  # noqa: ARG002  it stops at once
        with self._at("stop_container"):
            container = self._find(id)
            if container.status == "running":
                container.end(container.script.stop_code, time.time())

    def kill_container(self, id: str, signal: str = "SIGKILL") -> None:
        with self._at("kill_container"):
            number = signal_number(signal)
            container = self._find(id)
            if container.status != "running":
                raise EngineRequestError(f"cannot send {signal} to container {id!r}: it is {container.status}")
            if number not in _HARMLESS:
                container.end(128 + number, time.time())

    def pause_container(self, id: str) -> None:
        raise _no_pause(id)

    def unpause_container(self, id: str) -> None:
        raise _no_pause(id)

    def remove_container(self, id: str) -> None:
        with self._at("remove_container"):
            container = self._lookup(id)
            if container is None:
                return
            if container.status == "running":
                container.end(128 + _KILL, time.time())
            del self._containers[container.id]
            self._volumes.release(container.id)
            self._leave(container.id)
            for volume in container.volumes:
                self._volumes.remove(volume)

    def inspect_container(self, id: str) -> ContainerInfo:
        with self._at("inspect_container"):
            container = self._find(id)
            return container.info(self._joined(container.id))

    def list_containers(self, *, labels: Mapping[str, str] | None = None) -> list[ContainerSummary]:
        with self._at("list_containers"):
            return [container.summary() for container in self._containers.values() if carries(container.labels, labels)]

    def wait_container(self, id: str, *, timeout: float) -> int:
        with self._at("wait_container"):
            container = self._find(id)
            if not self._wait(lambda: container.status != "running", timeout, container):
                raise EngineTimeout(f"container {id!r} still ran after {timeout:g} s")
            return container.exit_code


def _no_pause(id: str) -> CapabilityMissing:
    return CapabilityMissing(f"the in-memory engine cannot freeze container {id!r}", hint="use a real engine")
