"""What a pod shall be: its members and what they share, checked before anything is made."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from podjig.container import GenericContainer
from podjig.engine.protocol import Engine
from podjig.errors import DefinitionError
from podjig.pod.names import member_names
from podjig.pod.network_mode import check_published, gather_host_ports, host_names
from podjig.pod.plan import Member, check_member, check_order, gather_hosts, gather_ports, resolved
from podjig.spec import LOOPBACK, Limits, NetworkAttachment, PodSpec, size_in_bytes
from podjig.spec.hostname import check_hostname
from podjig.spec.namespace import Namespace
from podjig.spec.pod import DEFAULT_SHARE

if TYPE_CHECKING:
    from typing_extensions import Self

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


class PodDefinition:
    """The part of :class:`podjig.Pod` that does no I/O; its arguments are explained there.

    Attributes:
        name: The pod's name; the engine invents one where ``None``.
    """

    def __init__(
        self,
        *members: GenericContainer,
        name: str | None = None,
        hostname: str | None = None,
        share: Sequence[Namespace] = DEFAULT_SHARE,
        userns: str | None = None,
        networks: Any = (),
        network_mode: str | None = None,
        memory: int | str | None = None,
        cpus: float | None = None,
        labels: Mapping[str, str] | None = None,
        engine: Engine | None = None,
        engine_options: Mapping[str, Any] | None = None,
    ) -> None:
        if hostname is not None:
            check_hostname(hostname, what="host name")
        if set(share) - {"net", "ipc", "uts", "pid"} or "net" not in share:
            raise DefinitionError(
                f"a pod cannot share {sorted(share)!r}", hint="share 'net', and of 'ipc', 'uts', 'pid' what you like"
            )
        if networks and network_mode is not None:
            raise DefinitionError(
                f"a pod is given both networks and the network mode {network_mode!r}", hint="use one of them"
            )
        if name is not None and (not isinstance(name, str) or not _NAME.fullmatch(name)):
            raise DefinitionError(
                f"pod name {name!r} is malformed", hint="begin with a letter or digit; then also '_', '.', '-'"
            )
        self.name: str | None = name
        self._spec = PodSpec(
            name=name,
            hostname=hostname,
            share=tuple(share),
            userns=userns,
            networks=tuple(NetworkAttachment(name=_network_name(network)) for network in _several(networks)),
            network_mode=network_mode,
            limits=Limits(memory=None if memory is None else size_in_bytes(memory, what="memory limit"), cpus=cpus),
            labels=dict(labels or {}),
            engine_options=dict(engine_options or {}),
        )
        self._chosen_engine = engine
        self._members: list[Member] = []
        for member in members:
            self._append(Member(container=member))

    @classmethod
    def from_kube_yaml(cls, manifest: str | os.PathLike[str], **fields: Any) -> Self:
        """Return a pod as a Kubernetes manifest has it, not started.

        Read are one Pod, or one Deployment of one replica, with the ConfigMaps and Secrets of its environment
        variables and volumes. Ports are published on free ports of 127.0.0.1 unless it names a ``hostPort``; startup
        and readiness probes become what is waited for.

        Args:
            manifest: A path; or the YAML text itself, of more than one line.
            fields: As for :class:`Pod`.

        Raises:
            DefinitionError: It is malformed, or has fields that are not supported; the message names each.
        """
        from podjig.pod.kube.reading import read

        found = read(manifest)
        given: dict[str, Any] = {"hostname": found.hostname, "labels": found.labels, "share": found.share}
        pod = cls(**{**given, **fields})
        for member in found.members:
            pod._append(member)
        for container in found.init:
            pod._append(Member(container=container, init=True))
        return pod

    @property
    def members(self) -> tuple[GenericContainer, ...]:
        """Its members, without init containers."""
        return tuple(member.container for member in self._members if not member.init)

    def member(self, name: str) -> GenericContainer:
        """Return the member that the others find under this name.

        Raises:
            DefinitionError: No member has it.
        """
        names = self._names()
        for member in self._members:
            if name in names[id(member.container)]:
                return member.container
        known = ", ".join(sorted(one for listed in names.values() for one in listed)) or "none"
        raise DefinitionError(f"no member of {self} is called {name!r}", hint=f"names in it: {known}")

    def to_kube_yaml(self) -> str:
        """Return a Kubernetes manifest of the pod, which ``podman kube play`` accepts.

        What a manifest cannot say (files copied in, ulimits, ...) is told in comments at its top. Of a started pod it
        has the published ports.
        """
        return self._completed()._manifest()  # noqa: SLF001  ours

    def __str__(self) -> str:
        if self.name:
            return f"pod {self.name}"
        return f"the pod of {', '.join(member.image for member in self.members) or 'nothing'}"

    def _completed(self) -> PodDefinition:
        """Return a copy with the members as they are when they start, which leaves our own as they are."""
        twin = copy.copy(self)
        twins = {id(member.container): member.container._completed() for member in self._members}  # noqa: SLF001
        twin._members = [  # noqa: SLF001  ours
            replace(
                member,
                container=twins[id(member.container)],
                depends_on=tuple(twins.get(id(needed)) or needed for needed in member.depends_on),
            )
            for member in self._members
        ]
        return twin

    def _manifest(self) -> str:
        from podjig.pod.kube.writing import manifest

        spec = replace(self._spec, name=self.name or "podjig-pod", extra_hosts=self._hosts())
        return manifest(spec, self._members, self._names())

    def _append(self, member: Member) -> None:
        container = member.container
        if not isinstance(container, GenericContainer):
            raise DefinitionError(f"{container!r} is not a container", hint="add a GenericContainer or a service")
        if any(container is other.container for other in self._members):
            raise DefinitionError(f"{container.description} is in the pod twice", hint="add a clone() of it")
        self._members.append(member)

    def _names(self) -> dict[int, list[str]]:
        containers = [member.container for member in self._members]
        return {id(containers[index]): listed for index, listed in member_names(containers).items()}

    def _hosts(self, job: GenericContainer | None = None) -> dict[str, str]:
        """Return the lines of ``/etc/hosts`` that the members have, and a job beside them."""
        containers = [*(member.container for member in self._members), *([] if job is None else [job])]
        wanted = gather_hosts((container, container.spec()) for container in containers)
        names = {name: LOOPBACK for listed in self._names().values() for name in listed}
        return {**host_names(self._spec.network_mode, wanted), **names}

    def _host_ports(self, job: GenericContainer | None = None) -> dict[int, int]:
        """Return the ports of this machine that the members reach, and a job beside them, by the port inside."""
        containers = [*(member.container for member in self._members), *([] if job is None else [job])]
        ports = [port for member in self.members for port in member.spec().ports]
        return gather_host_ports(self._spec.network_mode, containers, ports)

    def _plan(self) -> tuple[list[Member], PodSpec]:
        """Return the members and the pod to create, all checks made."""
        for member in self._members:
            member.container._complete()  # noqa: SLF001  what it sets there counts as well
        names = member_names([member.container for member in self._members])
        members = resolved(self._members, names)
        check_order(members)
        specs = [(member.container, member.container.spec()) for member in members]
        for container, spec in specs:
            check_member(container, spec, self._spec)
            if self.name is not None and container.name == self.name:
                raise DefinitionError(
                    f"the pod and its member of {container.image} are both called {self.name!r}",
                    hint="give one of them another name: the engine tells pods and containers apart by it",
                )
        found_as = tuple(name for listed in self._names().values() for name in listed)
        networks = tuple(replace(network, aliases=found_as) for network in self._spec.networks)
        ports = gather_ports(members)
        check_published(
            self._spec.network_mode,
            [(container, port) for container in self.members for port in container.spec().ports],
        )
        return members, replace(self._spec, ports=ports, extra_hosts=self._hosts(), networks=networks)


def _several(networks: Any) -> tuple[Any, ...]:
    return tuple(networks) if isinstance(networks, Iterable) and not isinstance(networks, str) else (networks,)


def _network_name(network: Any) -> str:
    name = network if isinstance(network, str) else getattr(network, "name", None)
    if not isinstance(name, str) or not name:
        raise DefinitionError(f"{network!r} is neither a network nor the name of one")
    return name
