"""Starting the members of a pod: those that may, side by side; the first failure stops the rest."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence

from podjig.container import GenericContainer
from podjig.errors import ContainerExited, PodjigError
from podjig.pod.plan import Member
from podjig.wait.loop import LifeWatch, log_tail

_GRACE = 0.5
"""Seconds that starts under way get to end after a failure. What ends later finds its pod gone, and undoes itself."""

_LOOK_EVERY = 0.1
"""Seconds between two looks at those that are ready."""


class Start:
    """One start of all members.

    Args:
        members: The members, of whom no two depend on each other in a circle.
        start: Starts one, and returns when it is ready.
        give_up: Called at the first failure; makes the starts under way end at once.
    """

    def __init__(
        self,
        members: Sequence[Member],
        start: Callable[[GenericContainer], object],
        give_up: Callable[[], None],
    ) -> None:
        self._waiting = list(members)
        self._members = members
        self._start = start
        self._give_up = give_up
        self._done: queue.SimpleQueue[tuple[Member, BaseException | None]] = queue.SimpleQueue()
        self._under_way: dict[Member, threading.Thread] = {}
        self._ready: dict[int, LifeWatch | None] = {}

    def run(self) -> None:
        """Start every member once those it depends on are ready.

        Raises:
            BaseException: What the first failing start raised; a podjig error tells the state of the others as well.
            ContainerExited: A member that was ready ended before the others were.
        """
        try:
            while self._waiting or self._under_way:
                self._begin()
                self._await_one()
            self._check_ready()
        except BaseException as error:
            if isinstance(error, PodjigError):
                others = self._states()
                error.message += "\n  the others: " + "; ".join(others) if others else ""
            self._give_up()
            deadline = time.monotonic() + _GRACE
            for thread in self._under_way.values():
                thread.join(max(0.0, deadline - time.monotonic()))
            raise

    def _begin(self) -> None:
        for member in [one for one in self._waiting if all(id(needed) in self._ready for needed in one.needs())]:
            self._waiting.remove(member)
            # Daemons: one that is stuck (in a pull, in a function of the user's) is not to keep a program from ending.
            thread = threading.Thread(target=self._run_one, args=(member,), name="podjig-pod", daemon=True)
            self._under_way[member] = thread
            thread.start()

    def _run_one(self, member: Member) -> None:
        try:
            self._start(member.container)
        except BaseException as error:  # noqa: BLE001  raised again where the start was called
            self._done.put((member, error))
        else:
            self._done.put((member, None))

    def _await_one(self) -> None:
        while True:
            try:
                member, error = self._done.get(timeout=_LOOK_EVERY)
            except queue.Empty:
                self._check_ready()
                continue
            del self._under_way[member]
            if error is not None:
                raise error
            self._ready[id(member.container)] = _watch(member.container)
            return

    def _check_ready(self) -> None:
        for member in self._members:
            container = member.container
            watch = self._ready.get(id(container))
            ended = watch.ended() if watch is not None else None
            if ended is not None:
                del self._ready[id(container)]
                how = "was removed" if ended.status == "removed" else f"exited with code {ended.exit_code}"
                raise ContainerExited(
                    f"{container.description} was ready and then {how}, while others were starting",
                    hint="its last output below usually says why",
                    logs=log_tail(container),
                    exit_code=ended.exit_code,
                )

    def _states(self) -> list[str]:
        states = []
        for member in self._members:
            name = member.container.description
            if id(member.container) in self._ready:
                states.append(f"{name}: ready")
            elif member in self._under_way:
                states.append(f"{name}: starting")
            elif member in self._waiting:
                needed = ", ".join(one.description for one in member.needs() if id(one) not in self._ready)
                states.append(f"{name}: not started{f', waits for {needed}' if needed else ''}")
        return states


def _watch(container: GenericContainer) -> LifeWatch | None:
    """Return what notices the end of a server; jobs, and what nothing is waited for, may end."""
    strategy = container.wait_strategy()
    return None if strategy is None or strategy.expects_exit else LifeWatch(container)
