"""A :class:`~podjig.spec.ContainerSpec` in the words of the libpod API: its ``SpecGenerator``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from podjig.engine.signals import signal_number
from podjig.errors import DefinitionError
from podjig.spec import ContainerSpec, Healthcheck, Limits, Mount, NetworkAttachment, PodSpec, Port, Ulimit

_NANOSECONDS = 1_000_000_000
_CPU_PERIOD = 100_000  # microseconds, the kernel's own default
_UNLIMITED = 2**64 - 1


def create_request(spec: ContainerSpec, *, host_ulimits: tuple[Ulimit, ...] = ()) -> dict[str, Any]:
    """Return the JSON that creates the container.

    Args:
        spec: The container.
        host_ulimits: Limits to name along with the container's own, where it has any.

    Raises:
        DefinitionError: The stop signal or platform is unknown.
    """
    request: dict[str, Any] = {
        "image": spec.image,
        "env": dict(spec.env),
        "labels": dict(spec.labels),
        "init": spec.init,
        "privileged": spec.privileged,
        "no_new_privileges": spec.no_new_privileges,
        "read_only_filesystem": spec.read_only,
        "image_volume_mode": spec.image_volumes,
        "name": spec.name,
        "pod": spec.pod,
        "command": _list(spec.command),
        "entrypoint": _list(spec.entrypoint),
        "user": spec.user,
        "work_dir": spec.workdir,
        "hostname": spec.hostname,
        "portmappings": [_port(port) for port in spec.ports],
        "cap_add": [_capability(name) for name in spec.cap_add],
        "cap_drop": [_capability(name) for name in spec.cap_drop],
        "hostadd": [f"{name}:{address}" for name, address in spec.extra_hosts.items()],
        "stop_signal": None if spec.stop_signal is None else signal_number(spec.stop_signal),
        "timeout": None if spec.lifetime is None else max(1, math.ceil(spec.lifetime)),
        "healthconfig": None if spec.healthcheck is None else _health(spec.healthcheck),
        **_mounts(spec.mounts),
        **_limits(spec.limits, host_ulimits),
        **_network(spec.network_mode, spec.networks),
        **{f"{name}ns": _namespace(mode) for name, mode in spec.namespaces.items()},
        **platform_fields(spec.platform),
    }
    request = {name: value for name, value in request.items() if value not in (None, {})}
    return {**request, **spec.engine_options}


def pod_request(spec: PodSpec) -> dict[str, Any]:
    """Return the JSON that creates the pod."""
    request: dict[str, Any] = {
        "name": spec.name,
        "hostname": spec.hostname,
        "labels": dict(spec.labels),
        # Of a container in the host's network Podman ignores them, of a pod it refuses them.
        "portmappings": [_port(port) for port in spec.ports if spec.network_mode != "host"],
        "shared_namespaces": list(spec.share),
        # A control group of the pod's own is needed for its limits only. As root, Podman waits three seconds for it to
        # be empty when the pod is removed, if anything was executed in it.
        "share_parent": None if spec.limits != Limits() else False,
        "hostadd": [f"{name}:{address}" for name, address in spec.extra_hosts.items()],
        "userns": None if spec.userns is None else _namespace(spec.userns),
        "infra_image": spec.infra_image,
        **_limits(spec.limits, ()),
        **_network(spec.network_mode, spec.networks),
    }
    request = {name: value for name, value in request.items() if value not in (None, {}, [])}
    return {**request, **spec.engine_options}


def platform_fields(platform: str | None) -> dict[str, str]:
    """Split ``os/arch[/variant]``.

    Raises:
        DefinitionError: It is none.
    """
    if platform is None:
        return {}
    parts = platform.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise DefinitionError(f"{platform!r} is not a platform", hint="write os/arch[/variant], like 'linux/amd64'")
    return dict(zip(("image_os", "image_arch", "image_variant"), parts, strict=False))


def _list(words: tuple[str, ...] | None) -> list[str] | None:
    return None if words is None else list(words)


def _capability(name: str) -> str:
    upper = name.upper()
    return upper if upper == "ALL" or upper.startswith("CAP_") else f"CAP_{upper}"


def _port(port: Port) -> dict[str, Any]:
    # host_ip is never left out: that would bind all addresses. Port 0 lets the engine choose at creation.
    return {
        "container_port": port.container,
        "protocol": port.protocol,
        "host_ip": port.host_ip,
        "host_port": port.host or 0,
    }


def _mounts(mounts: tuple[Mount, ...]) -> dict[str, Any]:
    plain: list[dict[str, Any]] = []
    named: list[dict[str, Any]] = []
    overlays: list[dict[str, Any]] = []
    for mount in mounts:
        options = [option for option in mount.options if option != "O"]
        if "O" in mount.options:  # changes go to a layer that is thrown away
            overlays.append({"destination": mount.target, "source": mount.source, "options": options})
            continue
        options.insert(0, "ro" if mount.read_only else "rw")
        if mount.kind == "volume":
            named.append({"Name": mount.source, "Dest": mount.target, "Options": options})
        elif mount.kind == "bind":
            plain.append(_oci_mount(mount, "bind", mount.source, ["rbind", *options]))
        else:
            # The engine adds nosuid, nodev and tmpcopyup: what the image has in the folder stays visible.
            size = [] if mount.size is None else [f"size={mount.size}"]
            plain.append(_oci_mount(mount, "tmpfs", "tmpfs", [*options, *size]))
    fields = {"mounts": plain, "volumes": named, "overlay_volumes": overlays}
    return {name: value for name, value in fields.items() if value}


def _oci_mount(mount: Mount, type: str, source: str, options: list[str]) -> dict[str, Any]:
    return {"destination": mount.target, "type": type, "source": source, "options": options}


def _limits(limits: Limits, host_ulimits: tuple[Ulimit, ...]) -> dict[str, Any]:
    resources: dict[str, Any] = {}
    if limits.memory is not None:
        resources["memory"] = {"limit": limits.memory}
    if limits.cpus is not None:
        resources["cpu"] = {"period": _CPU_PERIOD, "quota": int(limits.cpus * _CPU_PERIOD)}
    if limits.pids is not None:
        resources["pids"] = {"limit": limits.pids}
    named = {ulimit.name: ulimit for ulimit in (*host_ulimits, *limits.ulimits)} if limits.ulimits else {}
    rlimits = [
        {
            "type": ulimit.name,
            "soft": _UNLIMITED if ulimit.soft == -1 else ulimit.soft,
            "hard": _UNLIMITED if ulimit.hard == -1 else ulimit.hard,
        }
        for ulimit in named.values()
    ]
    return {"resource_limits": resources, "shm_size": limits.shm_size, "r_limits": rlimits or None}


def _network(mode: str | None, networks: tuple[NetworkAttachment, ...]) -> dict[str, Any]:
    if networks:
        members: Mapping[str, Any] = {network.name: {"aliases": list(network.aliases)} for network in networks}
        return {"netns": {"nsmode": "bridge"}, "Networks": members}
    if mode is None:
        return {}  # the engine's default for this host: slirp4netns or pasta rootless, bridge rootful
    kind, _, value = mode.partition(":")
    if kind in ("slirp4netns", "pasta"):
        return {"netns": {"nsmode": kind}, "network_options": {kind: value.split(",")} if value else None}
    return {"netns": _namespace(mode)}


def _namespace(mode: str) -> dict[str, str]:
    kind, _, value = mode.partition(":")
    return {"nsmode": {"ns": "path"}.get(kind, kind), "value": value}


def _health(check: Healthcheck) -> dict[str, Any]:
    return {
        "Test": check.test,
        "Timeout": int(check.timeout * _NANOSECONDS),
        "Interval": int(check.interval * _NANOSECONDS),
        "Retries": check.retries,
        "StartPeriod": int(check.start_period * _NANOSECONDS),
    }
