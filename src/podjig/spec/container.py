"""The container to create, whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from podjig.spec.health import Healthcheck
from podjig.spec.limits import Limits
from podjig.spec.mount import Mount
from podjig.spec.namespace import Namespace
from podjig.spec.port import Port


@dataclass(frozen=True, kw_only=True)
class NetworkAttachment:
    """Membership of one network.

    Attributes:
        name: The network's name or id.
        aliases: Names under which other members find the container.
    """

    name: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """What an engine needs to create one container. ``None`` and empty leave the image's own setting.

    Attributes:
        image: A full image name or id, present in the store.
        name: The container's name; the engine invents one where ``None``.
        command: Arguments for the entrypoint.
        entrypoint: Replaces the image's entrypoint.
        env: Environment variables.
        labels: Labels.
        user: ``uid``, ``uid:gid``, ``name`` or ``name:group``.
        workdir: Working directory inside.
        hostname: Host name inside.
        ports: Ports to publish.
        mounts: Mounts.
        image_volumes: What the image's ``VOLUME`` folders become: an anonymous volume each (engines'
            default), a tmpfs each, or nothing.
        networks: Networks to join; empty means the engine's default for this host.
        network_mode: ``"none"``, ``"host"``, ... instead of ``networks``.
        pod: The pod to join, by id: its ports, host name, hosts and networks are the pod's.
        namespaces: Further namespaces that are not the container's own: ``"ipc"`` -> ``"container:ID"`` joins that
            container's, ``"shareable"`` lets others join this one's.
        limits: Resource limits.
        extra_hosts: Host name -> address lines for ``/etc/hosts``.
        platform: ``os/arch[/variant]`` of the image.
        init: Run a small init as first process, which reaps zombies and forwards signals.
        healthcheck: Replaces the image's healthcheck.
        privileged: All rights the engine has. Never podjig's own choice.
        cap_add: Capabilities added.
        cap_drop: Capabilities dropped.
        no_new_privileges: Set-uid programs gain nothing.
        read_only: The root file system is read-only.
        stop_signal: Signal for a graceful stop.
        lifetime: Seconds after which the engine's own monitor kills the container; a backstop that needs
            no client.
        engine_options: Further fields merged into the engine's create request as they are.
    """

    image: str
    name: str | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    workdir: str | None = None
    hostname: str | None = None
    ports: tuple[Port, ...] = ()
    mounts: tuple[Mount, ...] = ()
    image_volumes: Literal["anonymous", "tmpfs", "ignore"] = "anonymous"
    networks: tuple[NetworkAttachment, ...] = ()
    network_mode: str | None = None
    pod: str | None = None
    namespaces: Mapping[Namespace, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    platform: str | None = None
    init: bool = False
    healthcheck: Healthcheck | None = None
    privileged: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    no_new_privileges: bool = True
    read_only: bool = False
    stop_signal: str | None = None
    lifetime: float | None = None
    engine_options: Mapping[str, Any] = field(default_factory=dict)
