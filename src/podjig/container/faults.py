"""Faults made on purpose: what happens to containers in real life, at the moment a test chooses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from podjig.container.link import Link
from podjig.container.processes import continue_all, stop_all
from podjig.container.running import Running
from podjig.engine.protocol import Engine
from podjig.errors import ContainerExited, DefinitionError, EngineRequestError, ResourceNotFound
from podjig.network.fault import Fault
from podjig.spec import seconds


class FaultMethods(Running):
    """What may be done on purpose to a started container."""

    def freeze(self) -> Fault:
        """Let all its processes stand still: it answers nothing, its connections stay open.

        Returns:
            The fault, in force until it is undone, or :meth:`thaw` is called. Its ``how`` says by what means: the
            engine's pause, or signals where the engine cannot pause here.

        Raises:
            NotStartedError: It is not started.
            ContainerExited: Its program does not run.
            CapabilityMissing: Neither works on this engine; the message has the reason.
        """
        self._spoil("freeze()")
        if self._frozen is None or not self._frozen.active:
            self._frozen = _freeze(self.engine, self.id)
        return self._frozen

    def thaw(self) -> None:
        """Let its processes go on. Quiet where it is not frozen."""
        if self._frozen is not None:
            self._frozen.undo()

    def kill(self, signal: str = "SIGKILL") -> None:
        """Send a signal to its first process.

        Raises:
            NotStartedError: It is not started.
            EngineRequestError: Its program does not run.
        """
        self._spoil("kill()")
        self.engine.kill_container(self.id, signal)

    def slow_link(
        self,
        *,
        delay: float | timedelta = 0.0,
        jitter: float | timedelta = 0.0,
        loss: float = 0.0,
        rate: int | None = None,
    ) -> Fault:
        """Make its network slow or lossy, for all it sends, on all its interfaces; in a pod, for all members.

        Outside a pod, :meth:`restart` ends it: the network is another then. In one, it outlives the member.

        Args:
            delay: Seconds added to each packet.
            jitter: Seconds by which that varies.
            loss: The share of packets that are lost: 0.05 is one in twenty.
            rate: Bits per second.

        Returns:
            The fault, in force until it is undone. A second one takes the place of the first, which then has nothing
            to undo.

        Raises:
            NotStartedError: It is not started.
            ContainerExited: Its program does not run.
            DefinitionError: A value is out of range, or none is given.
            CapabilityMissing: This machine's kernel cannot do it, or not for us; the message has the reason.
        """
        wait, spread = seconds(delay, what="delay"), seconds(jitter, what="jitter")
        if not 0 <= loss <= 1:
            raise DefinitionError(f"loss {loss!r} is not a share of all packets", hint="write 0.05 for one in twenty")
        if rate is not None and rate < 1:
            raise DefinitionError(f"rate {rate!r} is not a number of bits per second")
        if not (wait or loss or rate):
            raise DefinitionError("slow_link() is given nothing to do", hint="give delay=, loss= or rate=")
        self._spoil("slow_link()")
        link = Link(self.engine, self.id, delay=wait, jitter=spread, loss=loss, rate=rate)
        return Fault(f"tc {link.kind}", link.restore)


def _freeze(engine: Engine, id: str) -> Fault:
    if engine.capabilities.pause:
        engine.pause_container(id)
        return Fault("the engine's pause", lambda: _quietly(lambda: _unpause(engine, id)))
    stop_all(engine, id)
    return Fault("signals", lambda: _quietly(lambda: continue_all(engine, id)))


def _unpause(engine: Engine, id: str) -> None:
    try:
        engine.unpause_container(id)
    except EngineRequestError:
        if engine.inspect_container(id).state.status == "paused":
            raise
        # It was killed meanwhile, or somebody else let it go on.


def _quietly(undo: Callable[[], None]) -> None:
    with suppress(ContainerExited, ResourceNotFound):  # gone, and the fault with it
        undo()
