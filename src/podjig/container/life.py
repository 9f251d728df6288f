"""The life of a container: started, attached to, restarted, kept, removed."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from podjig.cleanup.folders import folders
from podjig.cleanup.labels import Kind
from podjig.cleanup.session import Keep, Session, session_of
from podjig.container.creation import CreationMethods
from podjig.container.definition import KEEP
from podjig.container.files import copy_in
from podjig.container.leaving import Leaving
from podjig.container.observer import How, Startup, observers, tell, tell_leaving
from podjig.container.placement import Placement
from podjig.container.running import NONE_YET
from podjig.engine.discovery import current_engine
from podjig.engine.protocol import Engine
from podjig.errors import (
    AlreadyStartedError,
    ContainerError,
    ContainerExited,
    ContainerStartError,
    PodjigError,
    PortInUse,
    ResourceNotFound,
)
from podjig.spec import ContainerSpec, seconds
from podjig.wait.loop import wait_until_ready

if TYPE_CHECKING:
    from typing_extensions import Self


PORT_TRIES = 3
"""How often the engine may choose host ports, where another process is quicker to take them."""


class LifeMethods(CreationMethods, Leaving):
    """From its start to its end."""

    def start(self) -> Self:
        """Create and start the container and return self when it is ready."""
        return self._start_at(None)

    def _start_at(self, place: Placement | None, *, configured: bool = False, lifetime: float | None = None) -> Self:
        """Start by itself, or at a place among others.

        Args:
            place: Where.
            configured: Whether the definition is complete, and who calls tells the observers.
            lifetime: Seconds until the engine ends it, if not as the settings say.
        """
        if not configured:
            self._check_not_started()
            self._complete()
        began = time.perf_counter()
        spec = self.spec() if place is None else place.place(self.spec())
        if lifetime is not None and spec.lifetime is None:
            spec = replace(spec, lifetime=lifetime)
        engine = place.engine if place is not None else self._chosen_engine or current_engine()
        self._place = place
        session = session_of(engine)
        self._engine, self._session, self._info = engine, session, None
        self._pid = os.getpid()
        self._begun = mine = object()
        try:
            self._bring_up(engine, spec, session, mine)
            self._wait()
            self._check_begun(mine)
        except BaseException as error:
            if self._begun is mine:  # else what it has made is gone, and there may be another
                self._abandon(error)
            raise
        if session is not None and self._keep is not None and place is None:
            session.keep("container", self.id, self._keep, uses=[("network", network) for network in self._networks])
        if not configured:
            self._tell("started", time.perf_counter() - began)
        return self

    def attach(self, id: str, *, engine: Engine | None = None) -> Self:
        """Be the running container ``id``, which somebody else made of the same definition and removes.

        All works as in the process that started it, but :meth:`stop` and the end of a ``with`` block only let go of it.

        Args:
            id: Its id or name.
            engine: The engine that runs it; that of the constructor, else the discovered one, where ``None``.

        Raises:
            AlreadyStartedError: It is started, or attached to another.
            ContainerError: There is no such container.
            ContainerExited: It does not run.
        """
        self._check_not_started()
        self._complete()
        began = time.perf_counter()
        engine = engine or self._chosen_engine or current_engine()
        try:
            info = engine.inspect_container(id)
        except ResourceNotFound:
            raise ContainerError(
                f"there is no container {id!r} to attach to ({self.image})",
                hint="attach while whoever made it keeps it; 'podjig ps' lists what is there",
            ) from None
        if not info.state.running:
            code = info.state.exit_code
            raise ContainerExited(
                f"container {info.name} ({info.image}) is {info.state.status}, not running: cannot attach to it"
                + (f"; it exited with code {code}" if info.state.ended else ""),
                hint="see what it wrote below",
                logs=b"".join(chunk.data for chunk in engine.logs(info.id, tail=20)).decode("utf-8", "replace"),
                exit_code=code,
            )
        self._engine, self._id, self._info = engine, info.id, info
        self._pid, self._borrowed = os.getpid(), True
        self._tell("attached", time.perf_counter() - began)
        return self

    def stop(self, timeout: float | timedelta = 0.0) -> None:
        """Remove the container and its anonymous volumes. Quiet where it is not started, or already gone.

        One that was attached to is only let go of. Without effect in a forked child: the container is its parent's.

        Args:
            timeout: Seconds it gets to end by itself after its stop signal; 0 kills it at once.
        """
        grace = seconds(timeout, what="stop timeout")
        if self._id is None or self._pid != os.getpid():
            return
        if self._borrowed:
            self._forget()
            return
        assert self._engine is not None
        tell_leaving(self)
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
        self._spoil("restart()")
        self.thaw()
        self.engine.stop_container(self.id, timeout=grace)
        self._close_relays()
        self._info, self._restarted_at = None, time.time()
        self._launch()
        self._wait()
        return self

    def keep(
        self, duration: float | timedelta = KEEP, why: str = "kept by the test", *, hand_over: bool = False
    ) -> None:
        """Keep the running container when its ``with`` block or session ends, to look at it or to use it again.

        Its networks and named volumes, and its image if that was built by the session, are kept with it; of a member
        of a pod, the whole pod.

        ``podjig ps`` lists it; ``podjig clean NAME`` removes it, and so does any clean-up once it has expired.
        :meth:`with_keep` says the same before the start.

        Args:
            duration: Seconds from now until it expires. The engine ends it earlier if its lifetime (the setting
                ``lifetime``) is over.
            why: The reason, which ``podjig ps`` shows.
            hand_over: It is no longer ours to remove: :meth:`stop`, too, only lets go of it.

        Raises:
            NotStartedError: It is not started.
        """
        made, keep = self.id, Keep(duration=seconds(duration, what="duration"), why=why)
        if self._place is not None:
            self._place.keep(keep)
            return
        if self._session is not None:
            spec = self.spec()
            uses: list[tuple[Kind, str]] = [("volume", mount.source) for mount in spec.mounts if mount.kind == "volume"]
            networks: list[tuple[Kind, str]] = [("network", network) for network in self._networks]
            self._session.keep("container", made, keep, uses=[*networks, *uses, ("image", spec.image)])
        elif self._borrowed:
            folders().kept.keep(made, seconds=keep.duration, why=why)  # for whoever would remove it
        self._keep = keep
        self._borrowed = self._borrowed or hand_over

    def wait(self, timeout: float | timedelta | None = None) -> int:
        """Wait for its end and return the exit code; at most ``timeout`` seconds (default: one hour).

        Raises:
            EngineTimeout: It still ran then.
        """
        limit = 3600.0 if timeout is None else seconds(timeout)
        return self.engine.wait_container(self.id, timeout=limit)

    def __enter__(self) -> Self:
        return self if self._borrowed else self.start()

    # For subclasses

    def _configure(self) -> None:
        """Complete the definition just before it is used. For subclasses; called once a start."""

    def _complete(self) -> None:
        """Call :meth:`_configure`, unless that was done for this start."""
        if not self._configured:
            self._configure()
            self._configured = True

    def _completed(self) -> Self:
        """Return it, or where it is not complete yet a copy that is."""
        if self._configured or self._id is not None:
            return self
        twin = self.clone()
        twin._complete()  # noqa: SLF001  ours
        return twin

    def _check_begun(self, mine: object) -> None:
        """Refuse to go on with a start that was given up meanwhile: another may have begun."""
        if self._begun is not mine:
            raise ContainerStartError(f"the start of {self.description} was given up meanwhile")

    def _bring_up(self, engine: Engine, spec: ContainerSpec, session: Session | None, mine: object) -> None:
        """Create it and start its program.

        Anew, where another process took a port between the moments in which the engine chose it and listened on it.
        """
        chosen = self._place is None and all(port.host is None for port in spec.ports)
        for _ in range(PORT_TRIES - 1 if chosen else 0):
            try:
                self._create_and_launch(engine, spec, session, mine)
            except PortInUse:
                self._check_begun(mine)
                self._discard(engine, session)
            else:
                return
        self._create_and_launch(engine, spec, session, mine)

    def _discard(self, engine: Engine, session: Session | None) -> None:
        """Remove what was created, and be as before."""
        self._close_relays()
        if self._id is not None:
            engine.remove_container(self._id)
            if session is not None:
                session.closed("container", self._id)
        self._id = self._info = None

    def _create_and_launch(self, engine: Engine, spec: ContainerSpec, session: Session | None, mine: object) -> None:
        with nullcontext() if session is None else session.making():
            made = self._create(engine, spec, session)
            if self._begun is not mine:
                engine.remove_container(made)
                self._check_begun(mine)
            self._id = made
            if session is not None and (self._keep is None or self._place is not None):
                session.opened("container", made, self._forget)
        for source, destination, mode in self._copies:
            copy_in(engine, made, source, destination, mode)
        for step in (self._write_addresses, self._launch):
            self._check_begun(mine)
            step()
        self._check_begun(mine)

    def _check_not_started(self) -> None:
        if self._id is not None:
            raise AlreadyStartedError(
                f"{self.description} is started", hint="stop() it first, or make another with clone()"
            )

    def _tell(self, how: How, seconds: float, note: str = "") -> None:
        if observers:
            strategy = self.wait_strategy()
            tell(
                Startup(
                    container=self,
                    how=how,
                    seconds=seconds,
                    waited_for=strategy.describe() if strategy else "",
                    note=note,
                )
            )

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

    def _is_kept(self) -> bool:
        return self._keep is not None

    def _forget(self) -> None:
        """Be as before the start: what there was is removed, or left to those who clean up."""
        if self._session is not None and self._id is not None:
            self._session.closed("container", self._id)
        self._close_relays()
        engine, claim = self._engine, self._claim
        self.__dict__.update(NONE_YET)
        self._engine = engine  # get_docker_client() goes on with it
        if claim is not None:
            claim.release()
