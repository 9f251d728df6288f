"""A pod: containers that share one network namespace, started and removed as one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from podjig.cleanup.session import Session, session_of
from podjig.container import GenericContainer
from podjig.engine.discovery import current_engine
from podjig.engine.protocol import Engine
from podjig.engine.values import ExecResult
from podjig.errors import (
    AlreadyStartedError,
    ContainerError,
    DefinitionError,
    NotStartedError,
    PodjigError,
)
from podjig.pod.names import check_hostname, member_names
from podjig.pod.place import Holder, NativePod, Place
from podjig.pod.plan import Member, check_members, gather_ports, start_order
from podjig.pod.starting import start_members
from podjig.spec import LOOPBACK, PodSpec
from podjig.spec.pod import DEFAULT_SHARE, Namespace
from podjig.wait.status import ExitWaitStrategy

if TYPE_CHECKING:
    from typing_extensions import Self

JOB_TIMEOUT = 300.0
"""Seconds a job or init container may take unless told otherwise."""


class Pod:
    """Services that belong together: one network namespace, so they meet on ``localhost``, without DNS or bridge.

    On Podman it is a native pod; on an engine without pods, a container whose namespaces the members join. Ports are
    published when it is made, on 127.0.0.1, and each member's ``get_exposed_port()`` answers as ever::

        with Pod(PostgresContainer("postgres:16"), RedisContainer("redis:7.4"), app) as pod:
            requests.get(f"http://localhost:{app.get_exposed_port(8000)}")

    Members start side by side, each as soon as those it depends on are ready. Inside they find each other on
    ``localhost``, and by their name, their network aliases and their image's name (``postgres``).

    Args:
        members: Its containers, not started.
        name: The pod's name.
        hostname: Its members' host name.
        share: The namespaces they share: ``"net"`` always, ``"ipc"``, ``"uts"``, ``"pid"``.
        userns: The engine's user namespace mode, like ``"keep-id"``.
        labels: Labels.
        engine: The engine to run it on; the discovered one where ``None``.
        engine_options: Further fields of the engine's create request, passed on as they are.

    Raises:
        DefinitionError: A member is none, or is given twice; a name is no host name.
    """

    def __init__(
        self,
        *members: GenericContainer,
        name: str | None = None,
        hostname: str | None = None,
        share: Sequence[Namespace] = DEFAULT_SHARE,
        userns: str | None = None,
        labels: Mapping[str, str] | None = None,
        engine: Engine | None = None,
        engine_options: Mapping[str, Any] | None = None,
    ) -> None:
        if hostname is not None:
            check_hostname(hostname, what="host name")
        unknown = set(share) - {"net", "ipc", "uts", "pid"}
        if unknown or "net" not in share:
            raise DefinitionError(
                f"a pod cannot share {sorted(share)!r}", hint="share 'net', and of 'ipc', 'uts', 'pid' what you like"
            )
        self.name = name
        self._spec = PodSpec(
            name=name,
            hostname=hostname,
            share=tuple(share),
            userns=userns,
            labels=dict(labels or {}),
            engine_options=dict(engine_options or {}),
        )
        self._chosen_engine = engine
        self._members: list[Member] = []
        self._place: Place | None = None
        self._session: Session | None = None
        self._pid = 0
        for member in members:
            self.add(member)

    def add(self, container: GenericContainer, *, depends_on: Iterable[GenericContainer] = ()) -> Self:
        """Add a member, before the pod starts.

        Args:
            container: The member, not started.
            depends_on: Members that must be ready before it starts.

        Raises:
            DefinitionError: It is a member already, or no container.
            AlreadyStartedError: The pod is started: its ports cannot change any more.
        """
        return self._add(Member(container=container, depends_on=tuple(depends_on)))

    def add_init(self, container: GenericContainer) -> Self:
        """Add a container that runs to its successful end before the others start, in the order added.

        Raises:
            DefinitionError: It is a member already, or no container.
            AlreadyStartedError: The pod is started.
        """
        return self._add(Member(container=container, init=True))

    @property
    def members(self) -> tuple[GenericContainer, ...]:
        """Its members, without init containers."""
        return tuple(member.container for member in self._members if not member.init)

    @property
    def id(self) -> str:
        """What the engine calls it.

        Raises:
            NotStartedError: It is not started.
        """
        return self._started_place().id

    def start(self) -> Self:
        """Start the pod and return self when every member is ready. A failure leaves nothing behind.

        Raises:
            AlreadyStartedError: It, or a member, is started.
            DefinitionError: It is empty, members depend on strangers or in a circle, or claim the same name.
            PortError: Two members have the same port.
            PodjigError: What the first failing member raised, with the states of the others.
        """
        if self._place is not None:
            raise AlreadyStartedError(f"{self} is started", hint="stop() it first")
        check_members(self._members)
        start_order(self._members)  # for its errors
        spec = self._complete_spec()
        engine = self._chosen_engine or current_engine()
        self._session = session_of(engine)
        kind = NativePod if engine.capabilities.pods else Holder
        self._pid = os.getpid()
        with nullcontext() if self._session is None else self._session.making():
            self._place = kind(engine, spec, self._session)
            if self._session is not None:
                self._session.opened(self._place.kind, self._place.id, self._forget)
        try:
            self._start_members(self._place)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Remove the pod with all its members, in one call. Quiet where it is not started.

        Without effect in a forked child: the pod is its parent's.
        """
        if self._place is None or self._pid != os.getpid():
            return
        containers = [member.container for member in self._members]
        self._place.remove([container.id for container in containers if container.started])
        for container in containers:
            container._forget()  # noqa: SLF001  gone with the pod
        self._forget()

    def run(
        self,
        image: str,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        timeout: float = JOB_TIMEOUT,
    ) -> ExecResult:
        """Run a one-shot job in the pod, like a migration or a smoke test, and return what it gave.

        Args:
            image: Its image.
            command: Program and arguments.
            env: Environment variables.
            timeout: Seconds it may take.

        Raises:
            NotStartedError: The pod is not started.
            WaitTimeout: It did not end in time.
        """
        place = self._started_place()
        job = GenericContainer(image, command=command, env=env).waiting_for(ExitWaitStrategy(None))
        job.with_startup_timeout(timeout)
        try:
            job._start_at(place)  # noqa: SLF001  a pod is where containers start
            stdout, stderr = job.get_logs()
            output = job.logs().encode()
            return ExecResult(exit_code=job.inspect().state.exit_code, stdout=stdout, stderr=stderr, output=output)
        finally:
            job.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __str__(self) -> str:
        return f"pod {self.name}" if self.name else f"the pod of {', '.join(m.image for m in self.members)}"

    def _add(self, member: Member) -> Self:
        container = member.container
        if not isinstance(container, GenericContainer):
            raise DefinitionError(f"{container!r} is not a container", hint="add a GenericContainer or a service")
        if any(container is other.container for other in self._members):
            raise DefinitionError(f"{container.description} is in the pod twice", hint="add a clone() of it")
        if self._place is not None:
            raise AlreadyStartedError(
                f"{self} is started, and its ports are fixed: {container.description} comes too late",
                hint="add it before start(), or run a job in it with run()",
            )
        self._members.append(member)
        return self

    def _forget(self) -> None:
        """Be as before the start."""
        if self._session is not None and self._place is not None:
            self._session.closed(self._place.kind, self._place.id)
        self._place = self._session = None

    def _started_place(self) -> Place:
        if self._place is None:
            raise NotStartedError(f"{self} is not started", hint="call start(), or use it in a with block")
        return self._place

    def _complete_spec(self) -> PodSpec:
        names = member_names([member.container for member in self._members])
        hosts = {name: LOOPBACK for listed in names.values() for name in listed}
        return replace(self._spec, ports=gather_ports(self._members), extra_hosts=hosts)

    def _start_members(self, place: Place) -> None:
        for member in self._members:
            if member.init:
                self._run_init(member.container, place)
        services = [member for member in self._members if not member.init]

        def start(member: Member) -> None:
            member.container._start_at(place)  # noqa: SLF001  a pod is where containers start

        try:
            start_members(services, start, give_up=self.stop)
        except PodjigError as error:
            others = [f"{m.container.description}: {m.container.status}" for m in services if m.container.started]
            if others:
                error.message += "\n  the others: " + "; ".join(others)
            raise

    def _run_init(self, container: GenericContainer, place: Place) -> None:
        strategy = container.wait_strategy()
        if not isinstance(strategy, ExitWaitStrategy):
            container.waiting_for(ExitWaitStrategy(0))
        try:
            container._start_at(place)  # noqa: SLF001  a pod is where containers start
        except ContainerError as error:
            error.message = f"init container failed: {error.message}"
            raise
