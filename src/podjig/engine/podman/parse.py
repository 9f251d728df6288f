"""The service's JSON as podjig's values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from podjig.engine.timestamp import timestamp
from podjig.engine.values import (
    ContainerInfo,
    ContainerState,
    ContainerSummary,
    ImageInfo,
    NetworkInfo,
    PodInfo,
    PublishedPort,
)


def container(raw: Mapping[str, Any]) -> ContainerInfo:
    """Read the answer of a container's inspect."""
    config = raw.get("Config") or {}
    settings = raw.get("NetworkSettings") or {}
    networks = {name: network or {} for name, network in (settings.get("Networks") or {}).items()}
    return ContainerInfo(
        id=raw["Id"],
        name=str(raw.get("Name") or "").removeprefix("/"),
        image=raw.get("ImageName") or config.get("Image") or "",
        image_id=str(raw.get("Image") or "").removeprefix("sha256:"),
        state=_state(raw.get("State") or {}),
        ports=_ports(settings.get("Ports") or {}),
        labels=config.get("Labels") or {},
        env=_environment(config.get("Env")),
        networks={name: network.get("IPAddress") or "" for name, network in networks.items()},
        aliases={
            # Podman adds the beginning of the id by itself.
            name: tuple(alias for alias in network.get("Aliases") or () if alias != raw["Id"][:12])
            for name, network in networks.items()
        },
        raw=raw,
    )


def summary(raw: Mapping[str, Any]) -> ContainerSummary:
    """Read one container of a listing."""
    return ContainerSummary(
        id=raw["Id"],
        name=str((raw.get("Names") or [""])[0]).removeprefix("/"),
        image=raw.get("Image") or "",
        status=_status(str(raw.get("State") or "")),
        labels=raw.get("Labels") or {},
    )


def pod(raw: Mapping[str, Any]) -> PodInfo:
    """Read the answer of a pod's inspect."""
    infra = raw.get("InfraContainerID") or ""
    return PodInfo(
        id=raw["Id"],
        name=raw["Name"],
        status=str(raw.get("State") or "").lower(),
        hostname=raw.get("Hostname") or "",
        containers=tuple(member["Id"] for member in raw.get("Containers") or () if member["Id"] != infra),
        ports=_ports((raw.get("InfraConfig") or {}).get("PortBindings") or {}),
        labels=raw.get("Labels") or {},
    )


def network(raw: Mapping[str, Any]) -> NetworkInfo:
    """Read the answer of a network's inspect, or one network of a listing."""
    subnets = raw.get("subnets") or ()
    return NetworkInfo(
        id=raw["id"],
        name=raw["name"],
        driver=raw.get("driver") or "",
        subnets=tuple(subnet["subnet"] for subnet in subnets),
        gateways=tuple(subnet["gateway"] for subnet in subnets if subnet.get("gateway")),
        interface=raw.get("network_interface") or "",
        internal=bool(raw.get("internal")),
        ipv6=bool(raw.get("ipv6_enabled")),
        dns=bool(raw.get("dns_enabled")),
        labels=raw.get("labels") or {},
    )


def image(raw: Mapping[str, Any]) -> ImageInfo:
    """Read the answer of an image's inspect."""
    config = raw.get("Config") or {}
    health = raw.get("Healthcheck") or config.get("Healthcheck") or {}
    return ImageInfo(
        id=str(raw["Id"]).removeprefix("sha256:"),
        names=tuple(raw.get("RepoTags") or ()),
        size=int(raw.get("Size") or 0),
        exposed_ports=tuple(
            port if "/" in port else f"{port}/tcp" for port in sorted(config.get("ExposedPorts") or ())
        ),
        volumes=tuple(sorted(config.get("Volumes") or ())),
        env=_environment(config.get("Env")),
        labels=config.get("Labels") or raw.get("Labels") or {},
        entrypoint=_words(config.get("Entrypoint")),
        command=_words(config.get("Cmd")),
        user=config.get("User") or raw.get("User") or "",
        healthcheck=_words(health.get("Test")),
        os=raw.get("Os") or "",
        architecture=raw.get("Architecture") or "",
    )


def _status(state: str) -> str:
    # libpod's own word for a container that was made but never started; it differs between its endpoints
    return "created" if state in ("configured", "initialized") else state


def _state(raw: Mapping[str, Any]) -> ContainerState:
    health = raw.get("Health") or raw.get("Healthcheck") or {}
    started, finished = timestamp(raw.get("StartedAt")), timestamp(raw.get("FinishedAt"))
    if raw.get("Running"):
        finished = None  # that of an earlier run
    elif started is not None and finished is not None:
        finished = max(started, finished)  # taken from a file's time, which is coarser
    return ContainerState(
        status=_status(str(raw.get("Status") or "")),
        exit_code=int(raw.get("ExitCode") or 0),
        error=raw.get("Error") or "",
        oom_killed=bool(raw.get("OOMKilled")),
        pid=int(raw.get("Pid") or 0),
        started_at=started,
        finished_at=finished,
        health=health.get("Status") or "",
    )


def _ports(raw: Mapping[str, Any]) -> dict[str, tuple[PublishedPort, ...]]:
    return {
        key: tuple(
            PublishedPort(host_ip=binding.get("HostIp") or "0.0.0.0", host=int(binding["HostPort"]))  # noqa: S104
            for binding in bindings or ()
        )
        for key, bindings in raw.items()
    }


def _environment(lines: Iterable[str] | None) -> dict[str, str]:
    return {name: value for name, _, value in (line.partition("=") for line in lines or ())}


def _words(value: str | Iterable[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) and value else tuple(value or ())
