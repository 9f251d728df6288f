"""A container: defined by the builder, started, used, removed."""

from __future__ import annotations

import builtins
import copy
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from podjig import config
from podjig.cleanup.labels import Kind
from podjig.cleanup.session import Keep, session_of
from podjig.container.addresses import Addresses
from podjig.container.definition import KEEP, ContainerDefinition, env_text
from podjig.container.faults import FaultMethods
from podjig.container.files import Source, copy_in, copy_out
from podjig.container.placement import Placement
from podjig.container.relay import Relay, open_relays
from podjig.engine.discovery import current_engine
from podjig.engine.protocol import Engine
from podjig.engine.values import ContainerInfo, ExecResult
from podjig.errors import (
    AlreadyStartedError,
    DefinitionError,
    ImageNotFound,
    NameInUse,
    NotStartedError,
    PodjigError,
    PortError,
)
from podjig.image.store import ensure_image
from podjig.network.bridge import steady_bridge
from podjig.network.fault import Fault
from podjig.spec import ContainerSpec, Port, seconds
from podjig.spec.command import split_command
from podjig.wait.loop import wait_until_ready

if TYPE_CHECKING:
    from typing_extensions import Self

    from podjig.cleanup.session import Session

EXEC_TIMEOUT = 300.0
"""Seconds a command run with :meth:`GenericContainer.exec` may take unless told otherwise."""

_OF_THE_RUNNING = ("_engine", "_session", "_id", "_info", "_place", "_relays", "_frozen", "_restarted_at")
"""Attributes that say what was started; a clone has none of it."""


class GenericContainer(FaultMethods, ContainerDefinition):
    """Any image as a running container.

    Constructing does no I/O; :meth:`start`, or entering a ``with`` block, creates and starts the container and
    returns when it is ready; :meth:`stop`, or leaving the block, removes it with its anonymous volumes::

        with GenericContainer("nginx:1.27").with_exposed_ports(80) as web:
            url = f"http://{web.get_container_host_ip()}:{web.get_exposed_port(80)}"

    Args:
        image: The image's name.
        command: Arguments for the entrypoint; see :meth:`with_command`.
        env: Environment variables.
        name: The container's name.
        ports: Container ports to publish on free ports of 127.0.0.1.
        volumes: ``(host, container, mode)`` tuples; see :meth:`with_volume_mapping`.
        network: See :meth:`with_network`.
        network_aliases: See :meth:`with_network_aliases`.
        engine: The engine to run it on; the discovered one where ``None``.
        kwargs: See :meth:`with_kwargs`.

    Raises:
        DefinitionError: A value is wrong.
    """

    def __init__(
        self,
        image: str,
        *,
        command: str | Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        name: str | None = None,
        ports: Sequence[int | str] = (),
        volumes: Sequence[tuple[str, str, str]] = (),
        network: Any = None,
        network_aliases: Sequence[str] = (),
        engine: Engine | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(image)
        self._chosen_engine = engine
        self._engine: Engine | None = None
        self._session: Session | None = None
        self._id: str | None = None
        self._pid = 0
        self._info: ContainerInfo | None = None
        self._place: Placement | None = None
        self._relays: tuple[Relay, ...] | None = None
        self._frozen: Fault | None = None
        self._restarted_at: float | None = None
        if command is not None:
            self.with_command(command)
        for key, value in (env or {}).items():
            self.with_env(key, value)
        if name is not None:
            self.with_name(name)
        self.with_exposed_ports(*ports)
        for volume in volumes:
            self.with_volume_mapping(*volume)
        if network is not None:
            self.with_network(network)
        self.with_network_aliases(*network_aliases)
        self.with_kwargs(**kwargs)

    # Life

    def start(self) -> Self:
        """Create and start the container and return self when it is ready. A failure leaves nothing behind.

        Raises:
            AlreadyStartedError: It is started.
            EngineNotFound: There is no container engine.
            ImageNotFound, ImagePullError: There is no such image.
            ContainerStartError: The engine could not start it.
            WaitTimeout: It was not ready in time.
            ContainerExited: It ended before it was ready.
        """
        return self._start_at(None)

    def _start_at(self, place: Placement | None) -> Self:
        """Start by itself, or at a place among others."""
        if self._id is not None:
            raise AlreadyStartedError(
                f"{self.description} is started", hint="stop() it first, or make another with clone()"
            )
        self._configure()
        spec = self.spec() if place is None else place.place(self.spec())
        engine = place.engine if place is not None else self._chosen_engine or current_engine()
        self._place = place
        session = session_of(engine)
        self._engine, self._session, self._info = engine, session, None
        self._pid = os.getpid()
        with nullcontext() if session is None else session.making():
            self._id = self._create(engine, spec, session)
            if session is not None and self._keep is None:
                session.opened("container", self._id, self._forget)
        try:
            for source, destination, mode in self._copies:
                copy_in(engine, self._id, source, destination, mode)
            self._write_addresses()
            self._launch()
            self._wait()
        except BaseException as error:
            self._abandon(error)
            raise
        return self

    def stop(self, timeout: float | timedelta = 0.0) -> None:
        """Remove the container and its anonymous volumes. Quiet where it is not started, or already gone.

        Without effect in a forked child: the container is its parent's.

        Args:
            timeout: Seconds it gets to end by itself after its stop signal; 0 kills it at once.
        """
        grace = seconds(timeout, what="stop timeout")
        if self._id is None or self._engine is None or self._pid != os.getpid():
            return
        if grace:
            self.thaw()
            self._engine.stop_container(self._id, timeout=grace)
        self._engine.remove_container(self._id)
        self._forget()

    def restart(self, timeout: float | timedelta = 10.0) -> Self:
        """Stop its program and start it again, also after it has ended, and return self when it is ready.

        Its files and its published ports stay the same.

        Args:
            timeout: Seconds it gets to end by itself after its stop signal; 0 kills it at once.

        Raises:
            NotStartedError: It is not started.
            ContainerStartError, WaitTimeout, ContainerExited: As for :meth:`start`; but it is not removed.
        """
        grace = seconds(timeout, what="stop timeout")
        self.thaw()
        self.engine.stop_container(self.id, timeout=grace)
        self._close_relays()
        self._info, self._restarted_at = None, time.time()
        self._launch()
        self._wait()
        return self

    def keep(self, duration: float | timedelta = KEEP, why: str = "kept by the test") -> None:
        """Keep the running container when its ``with`` block or session ends, to look at it or to use it again.

        Its named volumes, and its image if that was built by the session, are kept with it.

        ``podjig ps`` lists it; ``podjig clean NAME`` removes it, and so does any clean-up once it has expired.
        :meth:`with_keep` says the same before the start.

        Args:
            duration: Seconds from now until it expires. The engine ends it earlier if its lifetime (the setting
                ``lifetime``) is over.
            why: The reason, which ``podjig ps`` shows.

        Raises:
            NotStartedError: It is not started.
        """
        made, keep = self.id, Keep(duration=seconds(duration, what="duration"), why=why)
        if self._session is not None:
            spec = self.spec()
            uses: list[tuple[Kind, str]] = [("volume", mount.source) for mount in spec.mounts if mount.kind == "volume"]
            self._session.keep("container", made, keep, uses=[*uses, ("image", spec.image)])
        self._keep = keep

    def wait(self, timeout: float | timedelta | None = None) -> int:
        """Wait for its end and return the exit code; at most ``timeout`` seconds (default: one hour).

        Raises:
            EngineTimeout: It still ran then.
        """
        limit = 3600.0 if timeout is None else seconds(timeout)
        return self.engine.wait_container(self.id, timeout=limit)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keep is None:
            self.stop()
        else:
            self._forget()

    # What it is

    @property
    def engine(self) -> Engine:
        """The engine that runs it.

        Raises:
            NotStartedError: It is not started.
        """
        if self._engine is None or self._id is None:
            raise NotStartedError(f"{self.description} is not started", hint="call start(), or use it in a with block")
        return self._engine

    @property
    def id(self) -> str:
        """Its full id.

        Raises:
            NotStartedError: It is not started.
        """
        if self._id is None:
            raise NotStartedError(f"{self.description} is not started", hint="call start(), or use it in a with block")
        return self._id

    @property
    def name(self) -> str | None:
        """The name it was given; ``None`` where the engine chooses one."""
        return self._name

    @property
    def network_aliases(self) -> tuple[str, ...]:
        """The names under which other members of its networks or pod find it."""
        return tuple(self._network_aliases)

    @property
    def restarted_at(self) -> float | None:
        """When :meth:`restart` last started it, in seconds since the epoch; ``None`` if it never did."""
        return self._restarted_at

    @property
    def started(self) -> bool:
        """Whether it was started and not stopped. Says nothing about its process; see :attr:`status`."""
        return self._id is not None

    @property
    def description(self) -> str:
        """Its image, and its name or the beginning of its id, for messages."""
        which = self._name or (self._id[:12] if self._id else "")
        return f"container {which} ({self.image})" if which else f"the container of {self.image}"

    def inspect(self) -> ContainerInfo:
        """Return what the engine knows of it, fresh."""
        self._info = self.engine.inspect_container(self.id)
        return self._info

    @property
    def status(self) -> str:
        """``"not_started"``, or what the engine calls its state: ``"running"``, ``"exited"``, ..."""
        return "not_started" if self._id is None else self.inspect().state.status

    def get_container_host_ip(self) -> str:
        """Return the host on which tests reach its published ports: ``"localhost"`` for an engine on this machine."""
        return config.current()[config.HOST] or self.engine.info.host

    def get_exposed_port(self, port: int | str) -> int:
        """Return the host's port that publishes the container's ``port`` (``5432``, ``"5353/udp"``).

        Raises:
            NotStartedError: It is not started.
            PortError: The port is malformed or not published.
        """
        wanted = Port.parse(port)
        place, info = self._place, self._info
        ports = place.published() if place is not None else (info or self.inspect()).ports
        published = ports.get(wanted.key)
        if not published:
            known = ", ".join(sorted(key for key, where in ports.items() if where)) or "none"
            raise PortError(
                f"port {wanted} of {self.description} is not published (published: {known})",
                hint=f"add with_exposed_ports({port!r}) before it starts",
            )
        return published[0].host

    # What it says

    def get_logs(self) -> tuple[bytes, bytes]:
        """Return all it wrote so far: (standard output, standard error)."""
        chunks = self.engine.logs(self.id)
        return (
            b"".join(chunk.data for chunk in chunks if chunk.stream == "stdout"),
            b"".join(chunk.data for chunk in chunks if chunk.stream == "stderr"),
        )

    def logs(
        self, *, stdout: bool = True, stderr: bool = True, since: float | None = None, tail: int | None = None
    ) -> str:
        """Return what it wrote, both streams in order, as text.

        Args:
            stdout: Include standard output.
            stderr: Include standard error.
            since: Only what was written at or after this time, in seconds since the epoch.
            tail: Only this many last lines.
        """
        chunks = self.engine.logs(self.id, stdout=stdout, stderr=stderr, since=since, tail=tail)
        return b"".join(chunk.data for chunk in chunks).decode("utf-8", "replace")

    def follow_logs(
        self, *, stdout: bool = True, stderr: bool = True, since: float | None = None, tail: int | None = None
    ) -> Iterator[str]:
        """Yield the lines it wrote, then those it writes, without their line ends, until it ends.

        Close the iterator to stop early.
        """
        chunks = self.engine.follow_logs(self.id, stdout=stdout, stderr=stderr, since=since, tail=tail)
        rest = {"stdout": b"", "stderr": b""}
        try:
            for chunk in chunks:
                *lines, rest[chunk.stream] = (rest[chunk.stream] + chunk.data).split(b"\n")
                for line in lines:
                    yield line.decode("utf-8", "replace")
            for last in filter(None, rest.values()):
                yield last.decode("utf-8", "replace")
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()

    # What is done to it

    def exec(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str | int | None = None,
        workdir: str | None = None,
        privileged: bool = False,
        timeout: float | timedelta = EXEC_TIMEOUT,
    ) -> ExecResult:
        """Run a command inside and return what it gave; unpacks as ``(exit_code, output)``.

        Args:
            command: Program and arguments; a string is split as a shell would. No shell runs unless named:
                ``["sh", "-c", "..."]``.
            env: Further environment variables.
            user: Who runs it; the container's user where ``None``.
            workdir: Its working directory.
            privileged: Give it all rights that the engine has.
            timeout: Seconds it may take.

        Raises:
            CommandNotFound: There is no such program.
            ExecTimeout: It did not end in time.
            ContainerExited: The container does not run.
            DefinitionError: The command is empty, or a value in ``env`` is no text.
        """
        words = split_command(command)
        if not words:
            raise DefinitionError("the command to run is empty", hint="name a program and its arguments")
        return self.engine.exec(
            self.id,
            words,
            env={key: env_text(key, value) for key, value in (env or {}).items()},
            user=None if user is None else str(user),
            workdir=workdir,
            privileged=privileged,
            timeout=seconds(timeout),
        )

    def copy_into_container(self, source: Source, destination: str, mode: int | None = None) -> None:
        """Copy bytes, a file or a folder to the absolute path ``destination``.

        Args:
            source: Bytes, or a path on this machine.
            destination: The path it gets inside; ends in ``/`` to keep a file's name in that folder.
            mode: Permission bits of the files; their own (bytes: 0o644) where ``None``.

        Raises:
            CopyError: The source, or the destination's folder, does not exist.
        """
        copy_in(self.engine, self.id, source, destination, mode)

    def copy_from_container(self, source: str, destination: str | os.PathLike[str] | None = None) -> bytes:
        """Copy a file or folder out of it, to ``destination``; return a file's content where that is ``None``.

        Raises:
            CopyError: There is no such path inside, or no such folder here.
        """
        return copy_out(self.engine, self.id, source, None if destination is None else Path(destination))

    # Names that migrating users know

    def get_container_id(self) -> str:
        """Return its full id."""
        return self.id

    def get_container_info(self) -> ContainerInfo:
        """Return what the engine knows of it; see :meth:`inspect`."""
        return self.inspect()

    def reload(self) -> None:
        """Ask the engine anew, for what :meth:`get_exposed_port` remembers."""
        self.inspect()

    def get_wrapped_container(self) -> Any:
        """Return the engine client's own object for it, for what podjig has no method for."""
        return self.get_docker_client().containers.get(self.id)

    def get_docker_client(self) -> Any:
        """Return the engine's own client (a ``podman.PodmanClient`` on Podman)."""
        engine = self._engine or self._chosen_engine or current_engine()
        return engine.native_client()

    # For subclasses

    def _configure(self) -> None:
        """Complete the definition just before it is used. For subclasses."""

    def _create(self, engine: Engine, spec: ContainerSpec, session: Session | None) -> str:
        def create() -> str:
            if session is None:
                return engine.create_container(spec)
            owned = session.own(spec, keep=self._keep)
            try:
                return engine.create_container(owned)
            except NameInUse:
                if not session.make_room("container", spec.name or ""):
                    raise
                return engine.create_container(owned)

        # The image is mostly there, and asking first costs a quick start a tenth of its time. Where named volumes are
        # made with the container, it is asked for first all the same: they are not to be left over if it is missing.
        policy = self._pull_policy or config.current()[config.PULL]
        if policy in ("missing", "never") and not any(mount.kind == "volume" for mount in spec.mounts):
            try:
                return create()
            except ImageNotFound:
                pass
        ensure_image(engine, spec.image, policy=policy, platform=spec.platform)
        return create()

    def _launch(self) -> None:
        """Start the program of what is created."""
        first = self._restarted_at is None
        with nullcontext() if self._place is None else self._place.turn():
            if self._host_ports and first:
                self.engine.init_container(self.id)  # what the program looks for at its start is to be there
                self._relays = open_relays(self.engine, self.id, self._host_ports)
            self.engine.start_container(self.id)
        if self._host_ports and not first:
            # Not prepared: the engine still clears up after the run before, and would end what waits for its start.
            self._relays = open_relays(self.engine, self.id, self._host_ports)
        for network in self._networks if self._place is None else ():
            steady_bridge(self.engine, network)

    def _close_relays(self) -> None:
        relays, self._relays = self._relays, None
        for relay in relays or ():
            relay.close()

    def _write_addresses(self) -> None:
        if not self._address_files:
            return
        published = self.engine.inspect_container(self.id).ports if self._place is None else self._place.published()
        found = Addresses(
            host=self.get_container_host_ip(),
            name=self._found_as(),
            ports={key: where[0].host for key, where in published.items() if where},
        )
        for render, destination, mode in self._address_files:
            content = render(found)
            copy_in(self.engine, self.id, content.encode() if isinstance(content, str) else content, destination, mode)

    def _found_as(self) -> str:
        """The name under which the others of its pod or networks find it."""
        if self._place is not None:
            return self._place.name_of(self)
        names = [*self._network_aliases, *filter(None, [self._name])] if self._networks else []
        return names[0] if names else "localhost"

    def _wait(self) -> None:
        strategy = self.wait_strategy()
        if strategy is not None:
            wait_until_ready(self, strategy, timeout=self._startup_timeout)

    def _abandon(self, error: BaseException) -> None:
        """Remove what a failed start has made; a failure to do so is told with the first error, not instead of it."""
        try:
            self.stop()
        except PodjigError as second:
            if isinstance(error, PodjigError):
                error.message += f"\n  and it could not be removed: {second.message}"
            self._forget()

    def _forget(self) -> None:
        """Be as before the start: what there was is removed, or left to those who clean up."""
        if self._session is not None and self._id is not None:
            self._session.closed("container", self._id)
        self._close_relays()
        self._frozen = self._restarted_at = None
        self._id = self._info = self._place = self._session = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = type(self).__new__(type(self))
        memo[builtins.id(self)] = twin
        twin.__dict__.update(self.__dict__)
        twin.__dict__.update(dict.fromkeys(_OF_THE_RUNNING))
        for key in self.__dict__.keys() - {"_chosen_engine", *_OF_THE_RUNNING}:
            twin.__dict__[key] = copy.deepcopy(self.__dict__[key], memo)
        return twin

    def __repr__(self) -> str:
        state = f"started {self._id[:12]}" if self._id else "not started"
        return f"<{type(self).__name__} {self.image} {state}>"
