"""A pod: containers that share one network namespace, started and removed as one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import timedelta
from typing import TYPE_CHECKING

from podjig.cleanup.session import Keep, Session, session_of
from podjig.container import GenericContainer
from podjig.container.definition import KEEP
from podjig.container.leaving import Leaving
from podjig.container.life import PORT_TRIES
from podjig.container.observer import tell_leaving
from podjig.engine.discovery import current_engine
from podjig.engine.values import ExecResult
from podjig.errors import AlreadyStartedError, NotStartedError, PodjigError, PortInUse
from podjig.pod.definition import PodDefinition
from podjig.pod.holder import Holder
from podjig.pod.jobs import JOB_TIMEOUT, make_job, refuse_ports, run_init, run_job
from podjig.pod.keeping import keep_pod, let_go, needs, wanted
from podjig.pod.names import member_names
from podjig.pod.native_pod import NativePod
from podjig.pod.place import Place
from podjig.pod.plan import Member, Needed, check_member, resolved
from podjig.pod.starting import Start
from podjig.spec import PodSpec, seconds

if TYPE_CHECKING:
    from typing_extensions import Self


class Pod(PodDefinition, Leaving):
    """Services that belong together: one network namespace, so they meet on ``localhost``, without DNS or bridge.

    On Podman it is a native pod; on an engine without pods, a container whose namespaces the members join. Ports are
    published when it is made, on 127.0.0.1, and each member's ``get_exposed_port()`` answers as ever::

        with Pod(PostgresContainer("postgres:16"), RedisContainer("redis:7.4"), app) as pod:
            requests.get(f"http://localhost:{app.get_exposed_port(8000)}")

    Members start side by side, each as soon as those it depends on are ready. Inside they find each other on
    ``localhost``, and by their name, their network aliases and their image's name (``postgres``).

    Args:
        members: Its containers, not started.
        name: The pod's name; two of one name cannot exist.
        hostname: Its members' host name.
        share: The namespaces they share: ``"net"`` always, ``"ipc"``, ``"uts"``, ``"pid"``.
        userns: The engine's user namespace mode, like ``"keep-id"``.
        networks: A network to join, or the name of one, or several, instead of the engine's default. Their other
            members find those of the pod by the same names.
        network_mode: ``"host"`` or ``"none"``, instead of ``networks``. In the host's network members listen on this
            machine's own ports, and ``get_exposed_port(8000)`` is 8000; without one they may have none.
        memory: What the members together may use: bytes, or a size like ``"512m"``. Where the engine cannot limit on
            this host, a warning says so.
        cpus: How many processors they together may use.
        labels: Labels.
        engine: The engine to run it on; the discovered one where ``None``.
        engine_options: Further fields of the engine's create request, passed on as they are.

    Raises:
        DefinitionError: A member is none, or is given twice; a name is malformed; a namespace is unknown; there are
            both networks and a network mode.
    """

    _place: Place | None = None
    _session: Session | None = None
    _keep: Keep | None = None
    _pid = 0

    # What is in it

    def add(self, container: GenericContainer, *, depends_on: Needed | Iterable[Needed] = ()) -> Self:
        """Add a member. One that comes when the pod is started is started at once, and may have no ports.

        Args:
            container: The member, not started.
            depends_on: A member or the name of one, or several, that must be ready before it starts.

        Raises:
            DefinitionError: It is a member already, or no container.
            PortError: The pod is started, and the member has a port: a pod's ports are fixed when it starts.
            PodjigError: The pod is started, and the member did not become ready.
        """
        needed = (depends_on,) if isinstance(depends_on, (str, GenericContainer)) else tuple(depends_on)
        member = Member(container=container, depends_on=needed)
        self._append(member)
        if self._place is not None:
            try:
                self._start_late(member, self._place)
            except BaseException:
                self._members.remove(member)
                raise
        return self

    def add_init(self, container: GenericContainer) -> Self:
        """Add a container that runs to its successful end before the others start, in the order added.

        Raises:
            DefinitionError: It is a member already, or no container.
            AlreadyStartedError: The pod is started.
        """
        if self._place is not None:
            raise AlreadyStartedError(
                f"{self} is started, and its init containers have run", hint="run a job in it with run()"
            )
        self._append(Member(container=container, init=True))
        return self

    @property
    def id(self) -> str:
        """What the engine calls it.

        Raises:
            NotStartedError: It is not started.
        """
        return self._started_place().id

    @property
    def started(self) -> bool:
        """Whether it was started and not stopped."""
        return self._place is not None

    # Life

    def start(self) -> Self:
        """Start the pod and return self when every member is ready. A failure leaves nothing behind.

        Raises:
            AlreadyStartedError: It, or a member, is started.
            DefinitionError: It is empty, members depend on strangers or in a circle, or claim the same name.
            PortError: Two members have the same port.
            PortInUse: A host port that a member asks for is taken; those that the engine chooses are chosen anew.
            PodjigError: What the first failing member raised, with the states of the others.
        """
        if self._place is not None:
            raise AlreadyStartedError(f"{self} is started", hint="stop() it first")
        for left in reversed(range(PORT_TRIES)):
            members, spec = self._plan()
            host_ports = self._host_ports()
            try:
                self._start_all(members, spec, host_ports)
            except PortInUse:
                # A port that the engine chose may be taken by another process before it listens there. With host_ports
                # it may be one inside.
                if not left or host_ports or any(port.host is not None for port in spec.ports):
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """Remove the pod with all its members. Quiet where it is not started.

        Without effect in a forked child: the pod is its parent's.
        """
        if self._place is None or self._pid != os.getpid():
            return
        containers = [member.container for member in self._members if member.container.started]
        for container in containers:
            tell_leaving(container)
        self._place.remove([container.id for container in containers])
        if self._keep is not None and self._session is not None:
            let_go(self._session, self._place)
        self._forget()

    def keep(self, duration: float | timedelta = KEEP, why: str = "kept by the test") -> None:
        """Keep the started pod when its ``with`` block or session ends, to look at it or to use it again.

        It is kept as one, with the images and named volumes of the session that its members use. ``podjig ps`` lists
        it; ``podjig clean NAME`` removes it, and so does any clean-up once it has expired. A member that was defined
        with :meth:`~podjig.GenericContainer.with_keep` says the same before the start, for the whole pod.

        Args:
            duration: Seconds from now until it expires. The engine ends it earlier if its lifetime (the setting
                ``lifetime``) is over.
            why: The reason, which ``podjig ps`` shows.

        Raises:
            NotStartedError: It is not started.
        """
        self._keep_all(Keep(duration=seconds(duration, what="duration"), why=why))

    def run(
        self,
        image: str | GenericContainer,
        command: str | Sequence[str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        timeout: float | timedelta = JOB_TIMEOUT,
    ) -> ExecResult:
        """Run a one-shot job in the pod, like a migration or a smoke test, and return what it gave.

        Args:
            image: Its image; or a whole definition (mounts, user, ...), of which a copy is run.
            command: Program and arguments; the image's or definition's own where ``None``.
            env: Environment variables.
            timeout: Seconds it may take.

        Returns:
            Its exit code, whatever that is, and its output; unpacks as ``(exit_code, output)``.

        Raises:
            NotStartedError: The pod is not started.
            PortError: The definition has ports; the pod's are fixed.
            ContainerStartError: It could not be started: unknown program, ...
            WaitTimeout: It did not end in time.
            ContainerExited: The pod was stopped meanwhile.
        """
        place = self._started_place()
        job = make_job(image, command, env=env)
        check_member(job, job.spec(), self._spec)
        refuse_ports(job)
        opened = place.let_reach(self._hosts(job), self._host_ports(job))
        try:
            return run_job(job, place, timeout=timeout)
        finally:
            place.relays.take(opened)

    def __enter__(self) -> Self:
        return self.start()

    def __repr__(self) -> str:
        state = f"started {self._place.id[:12]}" if self._place is not None else "not started"
        return f"<Pod {self.name or ''}({', '.join(m.image for m in self.members)}) {state}>"

    # How it is done

    def _start_all(self, members: Sequence[Member], spec: PodSpec, host_ports: Mapping[int, int]) -> None:
        """Make the pod and start its members; a failure leaves nothing behind, and all as before."""
        place = self._make(spec)
        place.names, place.on_keep = self._names(), self._keep_all
        place.relays.add(host_ports)
        try:
            for member in members:
                if member.init:
                    run_init(member.container, place)
            services = [member for member in members if not member.init]
            place.expect(member.container for member in services if not member.needs())
            start = Start(services, lambda container: container._start_at(place), self._end_members)  # noqa: SLF001
            start.run()
            keep = wanted(member.container for member in members)
            if keep is not None:
                self._keep_all(keep)
        except BaseException as error:
            self._abandon(error)
            raise

    def _make(self, spec: PodSpec) -> Place:
        engine = self._chosen_engine or current_engine()
        kind = NativePod if engine.capabilities.pods else Holder
        session = self._session = session_of(engine)
        self._pid = os.getpid()
        with nullcontext() if session is None else session.making():
            self._place = place = kind(engine, spec, session)
            if session is not None:
                session.opened(place.kind, place.id, self._forget)
        return place

    def _keep_all(self, keep: Keep) -> None:
        place, self._keep = self._started_place(), keep
        if self._session is not None:
            keep_pod(self._session, place, [member.container for member in self._members], keep)

    def _start_late(self, member: Member, place: Place) -> None:
        container = member.container
        container._complete()  # noqa: SLF001  what a subclass sets there is checked as well
        names = member_names([one.container for one in self._members])
        resolved(self._members, names)
        check_member(container, container.spec(), self._spec)
        refuse_ports(container)
        opened = place.let_reach(self._hosts(), self._host_ports())
        place.names = self._names()
        try:
            container._start_at(place)  # noqa: SLF001  a pod is where containers start
        except BaseException:
            place.relays.take(opened)
            raise
        if self._keep is not None and self._session is not None:
            self._session.keep("container", container.id, self._keep, uses=needs(container))

    def _end_members(self) -> None:
        """End what runs, so that those who wait for it see it end; :meth:`_abandon` clears away."""
        if self._place is not None:
            try:
                self._place.end([container.id for container in self.members if container.started])
            except PodjigError:
                return  # a member was just being made; said and done again by _abandon()

    def _abandon(self, error: BaseException) -> None:
        """Remove what a failed start has made; a failure to do so is told with the first error, not instead of it."""
        try:
            self.stop()
        except PodjigError as second:
            if isinstance(error, PodjigError):
                error.message += f"\n  and the pod could not be removed: {second.message}"
            self._forget()

    def _is_kept(self) -> bool:
        return self._keep is not None

    def _forget(self) -> None:
        """Be as before the start: what there was is removed, or left to those who clean up."""
        for member in self._members:
            member.container._forget()  # noqa: SLF001  gone with the pod
        if self._session is not None and self._place is not None:
            self._session.closed(self._place.kind, self._place.id)
        self._place = self._session = self._keep = None

    def _started_place(self) -> Place:
        if self._place is None:
            raise NotStartedError(f"{self} is not started", hint="call start(), or use it in a with block")
        return self._place
