"""Frozen values that say what to create. No I/O, no engine: only meaning and validation."""

from podjig.spec.build import BuildSpec
from podjig.spec.container import ContainerSpec, NetworkAttachment
from podjig.spec.duration import seconds
from podjig.spec.health import Healthcheck
from podjig.spec.limits import Limits, Ulimit
from podjig.spec.mount import Mount
from podjig.spec.network import NetworkSpec
from podjig.spec.pod import PodSpec
from podjig.spec.port import LOOPBACK, Port
from podjig.spec.size import size_in_bytes

__all__ = [
    "LOOPBACK",
    "BuildSpec",
    "ContainerSpec",
    "Healthcheck",
    "Limits",
    "Mount",
    "NetworkAttachment",
    "NetworkSpec",
    "PodSpec",
    "Port",
    "Ulimit",
    "seconds",
    "size_in_bytes",
]
