"""Frozen values that say what is: what an engine answers. Times are seconds since the epoch, sizes are bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Stream = Literal["stdout", "stderr"]


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What an engine can do. Code above asks for one of these, never for the engine's name.

    Attributes:
        pods: Native pods.
        infra: It has what holds the namespaces of its pods; else a pod needs an image for that.
        server_side_lifetime: The engine itself ends a container after a given time.
        health_on_demand: A healthcheck can be run when asked for.
        image_volumes: A container's image volumes can be made tmpfs or left out.
        pause: Containers can be frozen here.
        limits: Memory, cpu and pids limits are in force.
        outlives_client: What is made goes on when this process ends.
    """

    pods: bool = False
    infra: bool = False
    server_side_lifetime: bool = False
    health_on_demand: bool = False
    image_volumes: bool = False
    pause: bool = False
    limits: bool = False
    outlives_client: bool = False


@dataclass(frozen=True, kw_only=True)
class EngineInfo:
    """Which engine answered, and where.

    Attributes:
        name: ``"podman"``, ``"docker"``, ``"memory"``.
        version: Its version, like ``"4.3.1"``.
        address: The URL it was reached at.
        origin: How it was found, in a few words.
        rootless: Whether it runs without root; ``None`` where that is not known.
        local: Whether it runs on this machine, so that its paths and processes are ours to see.
        host: Name or address under which tests reach published ports.
    """

    name: str
    version: str
    address: str
    origin: str
    rootless: bool | None
    local: bool
    host: str = "localhost"


@dataclass(frozen=True, kw_only=True)
class PublishedPort:
    """Where the host publishes a container's port."""

    host_ip: str
    host: int


@dataclass(frozen=True, kw_only=True)
class ContainerState:
    """How a container is doing.

    Attributes:
        status: ``"created"``, ``"running"``, ``"paused"``, ``"exited"``, ``"stopping"``, ...
        exit_code: Exit status of the first process; meaningful once it has ended.
        error: The engine's own word on a failed start; may be empty.
        oom_killed: Whether the kernel ended it for want of memory.
        pid: The first process as the engine's host numbers it; 0 when it does not run.
        started_at: When it was started; ``None`` if never.
        finished_at: When it ended; ``None`` if it has not.
        health: ``"starting"``, ``"healthy"``, ``"unhealthy"``; empty without a healthcheck.
    """

    status: str
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    pid: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    health: str = ""

    @property
    def running(self) -> bool:
        """Whether its first process lives (a paused one does)."""
        return self.status in ("running", "paused", "stopping")

    @property
    def ended(self) -> bool:
        """Whether it ran and has ended."""
        return self.status in ("exited", "stopped", "dead", "removing")


@dataclass(frozen=True, kw_only=True)
class ContainerInfo:
    """One container, inspected.

    Attributes:
        id: Its full id.
        name: Its name, without a leading slash.
        image: The image name it was created from.
        image_id: That image's id.
        state: How it is doing.
        ports: Container port (``"5432/tcp"``) -> where the host publishes it; empty tuples are exposed only.
        labels: Its labels.
        env: Its environment.
        networks: Network name -> address in it (may be empty).
        aliases: Network name -> the names it was given there, besides its own.
        raw: The engine's own answer, for what podjig does not know.
    """

    id: str
    name: str
    image: str
    image_id: str
    state: ContainerState
    ports: Mapping[str, tuple[PublishedPort, ...]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class ContainerSummary:
    """One container in a listing."""

    id: str
    name: str
    image: str
    status: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ImageInfo:
    """One image in the store.

    Attributes:
        id: Its full id.
        names: The names it carries.
        size: Bytes, shared layers included.
        exposed_ports: Like ``"5432/tcp"``.
        volumes: Its ``VOLUME`` folders.
        env: Its environment.
        labels: Its labels.
        entrypoint: Its entrypoint.
        command: Its default arguments.
        user: The user it runs as; empty for root.
        healthcheck: The command of its healthcheck, in OCI form; empty if it has none.
        os: ``"linux"``, ...
        architecture: ``"amd64"``, ...
    """

    id: str
    names: tuple[str, ...]
    size: int
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    healthcheck: tuple[str, ...] = ()
    os: str = ""
    architecture: str = ""


@dataclass(frozen=True, kw_only=True)
class OutputChunk:
    """A piece of output, as it came."""

    stream: Stream
    data: bytes


@dataclass(frozen=True, kw_only=True)
class ExecResult:
    """What a command run inside a container gave. Unpacks as ``(exit_code, output)``.

    Attributes:
        exit_code: Its exit status.
        stdout: What it wrote to standard output.
        stderr: What it wrote to standard error.
        output: Both, in the order in which they arrived.
    """

    exit_code: int
    stdout: bytes
    stderr: bytes
    output: bytes

    def __iter__(self) -> Iterator[Any]:
        return iter((self.exit_code, self.output))


@dataclass(frozen=True, kw_only=True)
class HealthResult:
    """One run of a healthcheck: ``"healthy"``, ``"unhealthy"`` or ``"starting"``, and what it wrote."""

    status: str
    output: str = ""


@dataclass(frozen=True, kw_only=True)
class PullProgress:
    """One step of a pull: a line of the engine's own words, and bytes where it counts them."""

    message: str
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkInfo:
    """One network, inspected.

    Attributes:
        id: Its full id.
        name: Its name.
        driver: ``"bridge"``, ...
        subnets: Its address ranges, like ``"10.89.0.0/24"``.
        gateways: The engine's own addresses in them; may be empty.
        interface: The host's interface that it is made of; may be empty.
        internal: It has no way out.
        ipv6: It has IPv6 addresses.
        dns: Its members find each other by name.
        labels: Its labels.
    """

    id: str
    name: str
    driver: str
    subnets: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    interface: str = ""
    internal: bool = False
    ipv6: bool = False
    dns: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PodInfo:
    """One pod, inspected.

    Attributes:
        id: Its full id.
        name: Its name.
        status: ``"created"``, ``"running"``, ``"degraded"`` (a member has ended), ``"exited"``, ...
        hostname: The members' host name.
        containers: The ids of its members, without the one that holds its namespaces.
        ports: Container port (``"5432/tcp"``) -> where the host publishes it.
        labels: Its labels.
    """

    id: str
    name: str
    status: str
    hostname: str = ""
    containers: tuple[str, ...] = ()
    ports: Mapping[str, tuple[PublishedPort, ...]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
