"""A pod as a Kubernetes manifest that ``podman kube play`` accepts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from podjig.container import GenericContainer
from podjig.container.relay import HOST_INSIDE
from podjig.pod.plan import Member
from podjig.spec import ContainerSpec, Limits, Mount, PodSpec, Port
from podjig.spec.pod import DEFAULT_SHARE

_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


def manifest(spec: PodSpec, members: Sequence[Member], names: Mapping[int, Sequence[str]]) -> str:
    """Return the manifest as YAML; what it cannot say is told in comments at its top.

    Args:
        spec: The pod.
        members: Its members.
        names: The names of each, by its ``id()``.
    """
    import yaml

    writer = _Writer(names)
    writer.tell(_left_out(spec))
    body: dict[str, Any] = {
        "restartPolicy": "Never",
        "hostname": spec.hostname,
        "shareProcessNamespace": True if "pid" in spec.share else None,
        "hostNetwork": True if spec.network_mode == "host" else None,
        "hostAliases": _aliases(spec.extra_hosts),
        "initContainers": [writer.container(member) for member in members if member.init],
        "containers": [writer.container(member) for member in members if not member.init],
        "volumes": writer.volumes,
    }
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _given({"name": spec.name, "labels": dict(spec.labels)}),
        "spec": _given(body),
    }
    comments = "".join(f"# Not in this manifest: {left}\n" for left in dict.fromkeys(writer.told))
    return comments + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


class _Writer:
    """Writes containers, and gathers the volumes they use and what cannot be said."""

    def __init__(self, names: Mapping[int, Sequence[str]]) -> None:
        self.volumes: list[dict[str, Any]] = []
        self.told: list[str] = []
        self._names = names
        self._taken: set[str] = set()

    def tell(self, left_out: Mapping[str, bool]) -> None:
        """Tell what cannot be said, each by whether there is such a thing."""
        self.told += [text for text, applies in left_out.items() if applies]

    def container(self, member: Member) -> dict[str, Any]:
        container, spec = member.container, member.container.spec()
        name = self._name([*self._names.get(id(container), ()), "member"][0])
        self.tell({f"{name}: {what}": applies for what, applies in _left_out_of(member, spec, self._names).items()})
        return _given(
            {
                "name": name,
                "image": spec.image,
                "command": list(spec.entrypoint or ()),
                "args": list(spec.command or ()),
                "workingDir": spec.workdir,
                "env": [{"name": key, "value": value} for key, value in spec.env.items() if _VARIABLE.fullmatch(key)],
                "ports": [] if member.init else [_port(container, port) for port in spec.ports],
                "resources": _resources(spec.limits),
                "securityContext": _security(spec),
                "volumeMounts": [self._mount(mount) for mount in spec.mounts],
            }
        )

    def _name(self, wanted: str) -> str:
        base = _NOT_IN_A_NAME.sub("-", wanted.lower()).strip("-") or "member"
        name, number = base, 1
        while name in self._taken:
            number += 1
            name = f"{base}-{number}"
        self._taken.add(name)
        return name

    def _mount(self, mount: Mount) -> dict[str, Any]:
        source: dict[str, Any]
        if mount.kind == "bind":
            source = {"hostPath": {"path": mount.source}}
        elif mount.kind == "volume":
            source = {"persistentVolumeClaim": {"claimName": mount.source}}
        else:
            source = {"emptyDir": _given({"medium": "Memory", "sizeLimit": mount.size and str(mount.size)})}
        known = next((volume for volume in self.volumes if {**volume, "name": ""} == {"name": "", **source}), None)
        if known is None or mount.kind == "tmpfs":  # a tmpfs is one container's own
            known = {"name": f"volume-{len(self.volumes)}", **source}
            self.volumes.append(known)
        return _given({"name": known["name"], "mountPath": mount.target, "readOnly": mount.read_only or None})


def _left_out(spec: PodSpec) -> dict[str, bool]:
    """Return what a manifest cannot say of a pod: in words -> whether it is there to be said."""
    return {
        f"the user namespace {spec.userns}": spec.userns is not None,
        "the limits of the whole pod": spec.limits != Limits(),
        f"the networks {', '.join(network.name for network in spec.networks)}": bool(spec.networks),
        f"the network mode {spec.network_mode}": spec.network_mode not in (None, "host"),
        f"that it shares {', '.join(spec.share)} alone": not set(spec.share) >= set(DEFAULT_SHARE),
        "the pod's options for the engine": bool(spec.engine_options),
    }


def _left_out_of(member: Member, spec: ContainerSpec, names: Mapping[int, Sequence[str]]) -> dict[str, bool]:
    """Return what a manifest cannot say of a member, in the same way."""
    container = member.container
    copied = [destination for _, destination, _ in (*container._copies, *container._address_files)]  # noqa: SLF001
    variables = [key for key in spec.env if not _VARIABLE.fullmatch(key)]
    needed = [
        one if isinstance(one, str) else next(iter(names.get(id(one), ())), one.image) for one in member.depends_on
    ]
    waits = container.wait_strategy()
    return {
        f"that it starts when {', '.join(dict.fromkeys(needed))} is ready": bool(needed),
        f"what it waits for: {waits.describe() if waits else ''}": waits is not None and not member.init,
        f"the files copied to {', '.join(copied)}": bool(copied),
        f"the variable {', '.join(variables)}": bool(variables),
        "its image's volumes on tmpfs": spec.image_volumes == "tmpfs",
        "its healthcheck": spec.healthcheck is not None,
        "its ulimits": bool(spec.limits.ulimits),
        "its limit of processes": spec.limits.pids is not None,
        "the size of its /dev/shm": spec.limits.shm_size is not None,
        f"its stop signal {spec.stop_signal}": spec.stop_signal is not None,
        f"its platform {spec.platform}": spec.platform is not None,
        "its init, the first process": spec.init,
        f"its ports of this machine, {', '.join(map(str, container.host_ports.values()))}": bool(container.host_ports),
        "its options for the engine": bool(spec.engine_options),
        f"user {spec.user}, who is no number": spec.user is not None and not _numbers(spec.user),
    }


def _port(container: GenericContainer, port: Port) -> dict[str, Any]:
    host = container.get_exposed_port(port.key) if container.started else port.host
    return {
        "containerPort": port.container,
        # Left out, Podman would take the same number on all of the host's addresses.
        "hostPort": host or port.container,
        "hostIP": port.host_ip,
        "protocol": port.protocol.upper(),
    }


def _aliases(hosts: Mapping[str, str]) -> list[dict[str, Any]]:
    by_address: dict[str, list[str]] = {}
    for name, address in hosts.items():
        if address == HOST_INSIDE:
            continue  # this machine, served by a process of ours
        by_address.setdefault(address, []).append(name)
    return [{"ip": address, "hostnames": names} for address, names in by_address.items()]


def _resources(limits: Limits) -> dict[str, Any]:
    given = {"memory": limits.memory, "cpu": limits.cpus}
    set_limits = {name: str(value) for name, value in given.items() if value is not None}
    return {"limits": set_limits} if set_limits else {}


def _security(spec: ContainerSpec) -> dict[str, Any]:
    user = _numbers(spec.user or "") or [None, None]
    capabilities = _given({"add": list(spec.cap_add), "drop": list(spec.cap_drop)})
    return _given(
        {
            "allowPrivilegeEscalation": not spec.no_new_privileges,
            "privileged": spec.privileged or None,
            "readOnlyRootFilesystem": spec.read_only or None,
            "runAsUser": user[0],
            "runAsGroup": user[1],
            "capabilities": capabilities,
        }
    )


def _numbers(user: str) -> list[int | None] | None:
    """``"1000:100"`` -> ``[1000, 100]``; ``None`` where there are names."""
    uid, _, gid = user.partition(":")
    if not uid.isdecimal() or (gid and not gid.isdecimal()):
        return None
    return [int(uid), int(gid) if gid else None]


def _given(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, [], {}, "")}
