"""A pod as a Kubernetes manifest that ``podman kube play`` accepts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from podjig.container import GenericContainer
from podjig.spec import ContainerSpec, Limits, Mount, PodSpec, Port

_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")


def manifest(
    spec: PodSpec,
    init: Sequence[GenericContainer],
    members: Sequence[GenericContainer],
    names: Mapping[int, Sequence[str]],
) -> str:
    """Return the manifest as YAML; what it cannot say is told in comments at its top.

    Args:
        spec: The pod.
        init: Its init containers.
        members: Its other members.
        names: The names of each, by its ``id()``.
    """
    import yaml

    writer = _Writer(names)
    body: dict[str, Any] = {
        "restartPolicy": "Never",
        "hostname": spec.hostname,
        "shareProcessNamespace": True if "pid" in spec.share else None,
        "hostAliases": _aliases(spec.extra_hosts),
        "initContainers": [writer.container(container, init=True) for container in init],
        "containers": [writer.container(container) for container in members],
        "volumes": writer.volumes,
    }
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _given({"name": spec.name, "labels": dict(spec.labels)}),
        "spec": _given(body),
    }
    comments = "".join(f"# Not in this manifest: {left}\n" for left in dict.fromkeys(writer.left_out))
    return comments + yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


class _Writer:
    """Writes containers, and gathers the volumes they use and what cannot be said."""

    def __init__(self, names: Mapping[int, Sequence[str]]) -> None:
        self.volumes: list[dict[str, Any]] = []
        self.left_out: list[str] = []
        self._names = names
        self._taken: set[str] = set()

    def container(self, container: GenericContainer, *, init: bool = False) -> dict[str, Any]:
        spec = container.spec()
        name = self._name([*self._names.get(id(container), ()), "member"][0])
        self._tell(container, spec, name)
        return _given(
            {
                "name": name,
                "image": spec.image,
                "command": list(spec.entrypoint or ()),
                "args": list(spec.command or ()),
                "workingDir": spec.workdir,
                "env": [{"name": key, "value": value} for key, value in spec.env.items() if _VARIABLE.fullmatch(key)],
                "ports": [] if init else [_port(container, port) for port in spec.ports],
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
            source = {"emptyDir": {"medium": "Memory"}}
        known = next((volume for volume in self.volumes if {**volume, "name": ""} == {"name": "", **source}), None)
        if known is None or mount.kind == "tmpfs":  # a tmpfs is one container's own
            known = {"name": f"volume-{len(self.volumes)}", **source}
            self.volumes.append(known)
        return _given({"name": known["name"], "mountPath": mount.target, "readOnly": mount.read_only or None})

    def _tell(self, container: GenericContainer, spec: ContainerSpec, name: str) -> None:
        copied = [destination for _, destination, _ in (*container._copies, *container._address_files)]  # noqa: SLF001
        said = {
            f"{name}: the files copied to {', '.join(copied)}": copied,
            f"{name}: the variable {', '.join(k for k in spec.env if not _VARIABLE.fullmatch(k))}": any(
                not _VARIABLE.fullmatch(key) for key in spec.env
            ),
            f"{name}: its image's volumes on tmpfs": spec.image_volumes == "tmpfs",
            f"{name}: its healthcheck": spec.healthcheck is not None,
            f"{name}: its ulimits": bool(spec.limits.ulimits),
            f"{name}: the size of its /dev/shm": spec.limits.shm_size is not None,
            f"{name}: its options for the engine": bool(spec.engine_options),
            f"{name}: user {spec.user}, who is no number": spec.user is not None and not _numbers(spec.user),
        }
        self.left_out += [text for text, applies in said.items() if applies]


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
