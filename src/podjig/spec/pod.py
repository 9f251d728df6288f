"""The pod to create."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podjig.spec.container import NetworkAttachment
from podjig.spec.limits import Limits
from podjig.spec.namespace import Namespace
from podjig.spec.port import Port

DEFAULT_SHARE: tuple[Namespace, ...] = ("net", "ipc", "uts")


@dataclass(frozen=True, kw_only=True)
class PodSpec:
    """What an engine needs to create one pod.

    Attributes:
        name: The pod's name; the engine invents one where ``None``.
        hostname: Host name of all members; the pod's name where ``None``.
        ports: Ports of all members to publish; they cannot be changed later.
        labels: Labels.
        share: The namespaces that the members share.
        userns: The engine's user namespace mode, like ``"keep-id"``; the engine's default where ``None``.
        extra_hosts: Host name -> address lines for the members' ``/etc/hosts``.
        networks: Networks to join, with the names under which its members are found there; empty means the engine's
            default for this host.
        network_mode: ``"none"``, ``"host"``, ... instead of ``networks``.
        limits: What all members together may use.
        infra_image: The image of the container that holds the namespaces; the engine's own where ``None``.
        engine_options: Further fields merged into the engine's create request as they are.
    """

    name: str | None = None
    hostname: str | None = None
    ports: tuple[Port, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    share: tuple[Namespace, ...] = DEFAULT_SHARE
    userns: str | None = None
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    networks: tuple[NetworkAttachment, ...] = ()
    network_mode: str | None = None
    limits: Limits = field(default_factory=Limits)
    infra_image: str | None = None
    engine_options: Mapping[str, Any] = field(default_factory=dict)
