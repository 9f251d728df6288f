"""The fluent builder: everything that may be said of a container before it starts."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podjig.cleanup.session import Keep
from podjig.container.addresses import Render
from podjig.container.engine_keywords import apply_keywords
from podjig.container.env_file import read_env_file
from podjig.container.files import Source
from podjig.container.relay import HOST_INSIDE, HOST_NAMES
from podjig.errors import DefinitionError, MountError, PortError
from podjig.image.reference import normalise
from podjig.image.store import check_policy, resolve
from podjig.spec import (
    LOOPBACK,
    ContainerSpec,
    Healthcheck,
    Limits,
    Mount,
    NetworkAttachment,
    Port,
    Ulimit,
    seconds,
    size_in_bytes,
)
from podjig.spec.command import split_command
from podjig.spec.hostname import check_hostname
from podjig.spec.mount import parse_mode
from podjig.wait.composite import CompositeWaitStrategy
from podjig.wait.function import as_strategy
from podjig.wait.port import PortWaitStrategy
from podjig.wait.strategy import Condition, WaitStrategy

if TYPE_CHECKING:
    from typing_extensions import Self

KEEP = 24 * 3600.0
"""Seconds a container is kept on purpose unless told otherwise."""


class ContainerDefinition:
    """What a container shall be. Every method returns self, checks its values at once and does no I/O.

    Attributes:
        image: The image's name as it was given.
    """

    def __init__(self, image: str) -> None:
        normalise(image)  # a malformed name is an error here and now
        self.image = image
        self._name: str | None = None
        self._command: tuple[str, ...] | None = None
        self._env: dict[str, str] = {}
        self._ports: dict[str, Port] = {}
        self._service_ports: tuple[Port, ...] = ()
        self._mounts: list[Mount] = []
        self._networks: list[str] = []
        self._network_aliases: list[str] = []
        self._host_ports: dict[int, int] = {}  # port inside -> port of this machine
        self._fields: dict[str, Any] = {}  # further fields of ContainerSpec, by their name there
        self._engine_options: dict[str, Any] = {}
        self._copies: list[tuple[Source, str, int | None]] = []
        self._address_files: list[tuple[Render, str, int | None]] = []
        self._pull_policy: str | None = None
        self._strategy: WaitStrategy | None = None
        self._startup_timeout: float | None = None
        self._keep: Keep | None = None

    # What runs

    def with_command(self, command: str | Sequence[str]) -> Self:
        """Set the arguments of the entrypoint; a string is split as a shell would, without expanding anything."""
        self._command = split_command(command)
        return self

    def with_entrypoint(self, entrypoint: str | Sequence[str]) -> Self:
        """Replace the image's entrypoint; a string is split as a shell would."""
        return self._set(entrypoint=split_command(entrypoint))

    def with_name(self, name: str) -> Self:
        """Name the container. Two containers of one name cannot exist: leave it out where tests run in parallel."""
        if not isinstance(name, str) or not name:
            raise DefinitionError(f"container name {name!r} is empty", hint="give a name, or none at all")
        self._name = name
        return self

    def with_env(self, key: str, value: str | int | float) -> Self:
        """Set an environment variable."""
        self._env[key] = env_text(key, value)
        return self

    def with_envs(self, **variables: str | int | float) -> Self:
        """Set several environment variables."""
        for key, value in variables.items():
            self.with_env(key, value)
        return self

    def with_env_file(self, env_file: str | os.PathLike[str]) -> Self:
        """Set the variables of a file with lines ``KEY=value``; reads the file now.

        Raises:
            DefinitionError: The file is missing, or a line is malformed.
        """
        return self.with_envs(**read_env_file(Path(env_file)))

    def with_user(self, user: str | int) -> Self:
        """Run as ``uid``, ``uid:gid``, ``name`` or ``name:group``."""
        return self._set(user=str(user))

    def with_working_dir(self, path: str) -> Self:
        """Set the working directory inside."""
        return self._set(workdir=path)

    def with_hostname(self, hostname: str) -> Self:
        """Set the host name inside."""
        return self._set(hostname=hostname)

    def with_labels(self, labels: Mapping[str, str] | None = None, /, **more: str) -> Self:
        """Add labels."""
        return self._set(labels={**self._fields.get("labels", {}), **(labels or {}), **more})

    def with_init(self, init: bool = True) -> Self:
        """Run a small init as first process, which reaps zombies and forwards signals."""
        return self._set(init=init)

    def with_platform(self, platform: str) -> Self:
        """Use the image for ``os/arch[/variant]``, like ``linux/arm64``."""
        if platform.count("/") not in (1, 2) or not all(platform.split("/")):
            raise DefinitionError(f"platform {platform!r} is malformed", hint="write os/arch, like 'linux/arm64'")
        return self._set(platform=platform)

    def with_pull_policy(self, policy: str) -> Self:
        """Pull the image ``"missing"``, ``"always"``, ``"never"`` or ``"newer"`` (the local one where that fails)."""
        self._pull_policy = check_policy(policy)
        return self

    # What it may use

    def with_memory_limit(self, memory: int | str) -> Self:
        """Limit its memory: bytes, or a size like ``"512m"``."""
        return self._limit(memory=size_in_bytes(memory, what="memory limit"))

    def with_cpu_limit(self, cpus: float) -> Self:
        """Limit it to this many processors; fractions are fine."""
        return self._limit(cpus=cpus)

    def with_pids_limit(self, pids: int) -> Self:
        """Limit the number of its processes."""
        return self._limit(pids=pids)

    def with_shm_size(self, size: int | str) -> Self:
        """Set the size of ``/dev/shm``: bytes, or a size like ``"128m"``."""
        return self._limit(shm_size=size_in_bytes(size, what="shm size"))

    def with_ulimit(self, name: str, soft: int, hard: int | None = None) -> Self:
        """Set a resource limit like ``nofile``; ``hard`` is ``soft`` where left out, -1 means unlimited."""
        limit = Ulimit(name=name, soft=soft, hard=soft if hard is None else hard)
        limits: Limits = self._fields.get("limits", Limits())
        return self._limit(ulimits=(*(u for u in limits.ulimits if u.name != name), limit))

    def with_privileges(
        self, *, cap_add: Sequence[str] = (), cap_drop: Sequence[str] = (), new_privileges: bool = False
    ) -> Self:
        """Add or drop capabilities; ``new_privileges`` lets set-uid programs inside work."""
        return self._set(cap_add=tuple(cap_add), cap_drop=tuple(cap_drop), no_new_privileges=not new_privileges)

    # Network

    def with_exposed_ports(self, *ports: int | str) -> Self:
        """Publish these container ports (``5432``, ``"5353/udp"``) on free ports of 127.0.0.1.

        Raises:
            PortError: A port is malformed, out of range or given twice.
        """
        for value in ports:
            port = Port.parse(value)
            if port.key in self._ports:
                raise PortError(f"port {port} of {self.image} is given twice", hint="name each port once")
            self._ports[port.key] = port
        return self

    def with_bind_ports(self, container: int | str, host: int | str | None = None) -> Self:
        """Publish a container port on a chosen port of 127.0.0.1; on a free one where ``host`` is ``None``.

        A free port (:meth:`with_exposed_ports`) never clashes with another test run.

        Raises:
            PortError: A port is malformed, out of range, or bound already.
        """
        host_port = None if host is None else Port.parse(host).container
        port = Port.parse(container, host=host_port)
        earlier = self._ports.get(port.key)
        if earlier is not None and earlier.host is not None:
            raise PortError(
                f"port {port} of {self.image} is bound twice: to {earlier.host} and to {port.host or 'a free port'}",
                hint="bind it once",
            )
        for other in self._ports.values():
            if host_port is not None and (other.host, other.protocol) == (host_port, port.protocol):
                raise PortError(
                    f"host port {host_port} is given twice: for {other} and for {port} of {self.image}",
                    hint="choose another, or leave it out for a free one",
                )
        self._ports[port.key] = port
        return self

    def with_network(self, network: Any) -> Self:
        """Join a network: a :class:`Network`, or the name of one that exists. May be called for several."""
        name = network if isinstance(network, str) else getattr(network, "name", None)
        if not isinstance(name, str) or not name:
            raise DefinitionError(f"{network!r} is neither a network nor the name of one")
        self._networks.append(name)
        return self

    def with_network_aliases(self, *aliases: str) -> Self:
        """Be found under these names by the other members of its networks or pod.

        Raises:
            DefinitionError: An alias is not a host name.
        """
        self._network_aliases.extend(check_hostname(alias) for alias in aliases)
        return self

    def expose_host_port(self, port: int, *, inside: int | None = None) -> Self:
        """Let it reach a server that runs on this machine, at ``host.containers.internal`` and the same port.

        The server may listen on 127.0.0.1 alone. Only this container reaches it, and those who share its network: the
        other members of its pod. For TCP, in every network mode. It is there from the first moment of its program on,
        after a restart() a moment later.

        Args:
            port: The server's port on this machine.
            inside: The port inside, where it is to be another: what runs in the container listens on that one itself.

        Raises:
            PortError: A port is malformed, or given twice.
        """
        here = Port.parse(port).container
        there = here if inside is None else Port.parse(inside).container
        if there in self._host_ports:
            raise PortError(f"port {there} inside {self.image} is given to two servers", hint="give inside=...")
        self._host_ports[there] = here
        return self

    def with_network_mode(self, mode: str) -> Self:
        """Use the engine's network mode ``"none"``, ``"host"``, ``"bridge"``, ... instead of its default."""
        return self._set(network_mode=mode)

    def with_extra_host(self, name: str, address: str) -> Self:
        """Add a line to ``/etc/hosts``; the address ``host-gateway`` means the engine's host."""
        return self._set(extra_hosts={**self._fields.get("extra_hosts", {}), name: address})

    # Files

    def with_volume_mapping(self, host: str | os.PathLike[str], container: str, mode: str = "ro") -> Self:
        """Mount a host path (made absolute) or, where it is a bare name, a named volume, by default read-only.

        Raises:
            MountError: The mode is unknown or the target is not absolute.
        """
        source = os.fspath(host)
        read_only, options = parse_mode(mode, target=container)
        named = isinstance(host, str) and source and os.sep not in source and not source.startswith((".", "~"))
        if not named and source:
            source = str(Path(source).expanduser().absolute())
        return self._mount(
            Mount(
                kind="volume" if named else "bind",
                source=source,
                target=container,
                read_only=read_only,
                options=options,
            )
        )

    def with_tmpfs_mount(self, container_path: str, size: int | str | None = None) -> Self:
        """Mount a tmpfs; its size in bytes, or like ``"64m"``."""
        limit = None if size is None else size_in_bytes(size, what="tmpfs size")
        return self._mount(Mount(kind="tmpfs", target=container_path, size=limit))

    def with_copy_into_container(self, source: Source, destination: str, mode: int | None = None) -> Self:
        """Copy bytes, a file or a folder into the container before it starts; see :meth:`copy_into_container`."""
        self._copies.append((source, destination, mode))
        return self

    def with_address_file(self, destination: str, render: Render, mode: int | None = None) -> Self:
        """Write a file that tells the program where it is found, before it starts.

        For servers that tell their clients where to connect, and so need an address for tests and one for other
        members of the pod or network::

            server.with_address_file(
                "/etc/server/listeners",
                lambda found: f"tests={found.outside(9092)} members={found.inside(29092)}",
            )

        Args:
            destination: The file's absolute path inside; its folder is in the image.
            render: Makes the content of an :class:`~podjig.container.addresses.Addresses`.
            mode: Its permission bits; 0o644 where ``None``.
        """
        self._address_files.append((render, destination, mode))
        return self

    # Readiness

    def with_healthcheck(
        self,
        command: str | Sequence[str],
        *,
        timeout: float | timedelta = 30.0,
        interval: float | timedelta = 30.0,
        retries: int = 3,
        start_period: float | timedelta = 0.0,
    ) -> Self:
        """Set the healthcheck; a string is run by the container's shell. See :class:`HealthcheckWaitStrategy`."""
        check = Healthcheck(
            command=command if isinstance(command, str) else tuple(command),
            timeout=seconds(timeout),
            interval=seconds(interval, what="interval"),
            retries=retries,
            start_period=seconds(start_period, what="start period"),
        )
        return self._set(healthcheck=check)

    def waiting_for(self, *conditions: Condition) -> Self:
        """Say when it is ready: a wait strategy or a function of the container; several mean all of them."""
        strategies = [as_strategy(condition) for condition in conditions]
        if not strategies:
            raise DefinitionError("waiting_for() needs a wait strategy or a function")
        self._strategy = strategies[0] if len(strategies) == 1 else CompositeWaitStrategy(*strategies)
        return self

    def with_startup_timeout(self, timeout: float | timedelta) -> Self:
        """Give it this many seconds to become ready, whatever it waits for."""
        self._startup_timeout = seconds(timeout, what="startup timeout")
        return self

    def with_keep(self, duration: float | timedelta = KEEP, why: str = "kept by its definition") -> Self:
        """Keep it for ``duration`` seconds when its ``with`` block or session ends; see ``GenericContainer.keep``."""
        self._keep = Keep(duration=seconds(duration, what="duration"), why=why)
        return self

    # The rest

    def with_kwargs(self, **kwargs: Any) -> Self:
        """Set what has no method here.

        By docker-py's keyword (``privileged``, ``mem_limit``, ...), or by the engine's own field name (libpod's
        ``SpecGenerator``), which is passed on as it is.
        """
        apply_keywords(self, kwargs)
        return self

    def clone(self) -> Self:
        """Return an independent copy of the definition, not started."""
        return copy.deepcopy(self)

    def spec(self) -> ContainerSpec:
        """Return the whole as the engine gets it, image substitution applied."""
        fields = dict(self._fields)
        if self._networks and fields.get("network_mode") is not None:
            raise DefinitionError(
                f"{self.image} is given both the network {self._networks[0]!r} and the network mode "
                f"{fields['network_mode']!r}",
                hint="use one of them",
            )
        if self._host_ports:
            fields["extra_hosts"] = {**self._host_names(fields.get("network_mode")), **fields.get("extra_hosts", {})}
        ports = {port.key: port for port in self._service_ports} | self._ports
        return ContainerSpec(
            image=resolve(self.image),
            name=self._name,
            command=self._command,
            env=dict(self._env),
            ports=tuple(ports.values()),
            mounts=tuple(self._mounts),
            networks=tuple(
                NetworkAttachment(name=name, aliases=tuple(self._network_aliases)) for name in self._networks
            ),
            engine_options=dict(self._engine_options),
            **fields,
        )

    def wait_strategy(self) -> WaitStrategy | None:
        """Return what :meth:`start` waits for: what was asked for, else a listener on each published TCP port."""
        if self._strategy is not None:
            return self._strategy
        ports = [port for port in self.spec().ports if port.protocol == "tcp"]
        return CompositeWaitStrategy(*(PortWaitStrategy(port.container) for port in ports)) if ports else None

    def _host_names(self, mode: str | None) -> dict[str, str]:
        """Return the names of this machine, as they lead to it from inside."""
        kind = (mode or "").partition(":")[0]
        if kind in ("container", "ns"):
            raise DefinitionError(
                f"{self.image} shares a network by {mode!r}, and cannot have ports of this machine of its own",
                hint="call expose_host_port() of the container whose network it is",
            )
        return dict.fromkeys(HOST_NAMES, LOOPBACK if kind == "host" else HOST_INSIDE)

    def _set(self, **fields: Any) -> Self:
        self._fields.update(fields)
        return self

    def _limit(self, **fields: Any) -> Self:
        return self._set(limits=replace(self._fields.get("limits", Limits()), **fields))

    def _mount(self, mount: Mount) -> Self:
        if any(mount.target == earlier.target for earlier in self._mounts):
            raise MountError(f"two mounts on {mount.target!r} of {self.image}", hint="a path takes one mount")
        self._mounts.append(mount)
        return self


def env_text(key: object, value: object) -> str:
    """Return an environment variable's value as text.

    Raises:
        DefinitionError: ``key`` is no name, or ``value`` neither text nor a number.
    """
    if not isinstance(key, str) or not key or "=" in key or "\0" in key:
        raise DefinitionError(f"{key!r} is not a name of an environment variable")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise DefinitionError(
            f"environment variable {key} has the value {value!r}, which is no text",
            hint="leave it out, or write the text that the program expects, like '' or 'true'",
        )
    return str(value)
