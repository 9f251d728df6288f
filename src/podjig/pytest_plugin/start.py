"""One container being started for a fixture: in a thread of its own, or where it is asked for."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from podjig.errors import PodjigError
from podjig.pytest_plugin.record import How

if TYPE_CHECKING:
    from podjig.container import GenericContainer
    from podjig.container.observer import Startup
    from podjig.pytest_plugin.services import Wanted

AT_ONCE = 8
"""Starts under way at the same time. The engine serialises most of one; more gain nothing."""

_turn = threading.BoundedSemaphore(AT_ONCE)
_this_thread = threading.local()

_LOOK_EVERY = 0.1
"""Seconds between two looks for progress to show while a start is waited for."""


def how_of(startup: Startup) -> How:
    """Return what a record says of it."""
    return "shared" if startup.how == "attached" else startup.how


class Start:
    """The start of one container, and its result.

    Args:
        wanted: What to start, and for which fixture.
        config: The run's.
        noted: Called in the thread that takes the result, once, when it is there.
    """

    def __init__(self, wanted: Wanted, config: pytest.Config, noted: Callable[[Start], None]) -> None:
        self.wanted = wanted
        self.container: GenericContainer | None = None
        self.error: BaseException | None = None
        self.seconds: float = 0.0
        self.waited_for: str = ""
        self.reuse_note: str = ""
        self.how: How = "started"
        self._config = config
        self._noted: Callable[[Start], None] | None = noted
        self._startup: Startup | None = None
        self._being_made: GenericContainer | None = None
        self._pid = os.getpid()
        self._mutex = threading.Lock()
        self._discarded = False
        self._done = threading.Event()
        self._lines: list[str] = []

    @staticmethod
    def of_this_thread() -> Start | None:
        """Return the start that this thread is busy with."""
        return getattr(_this_thread, "start", None)

    @property
    def is_lost(self) -> bool:
        """Whether this is a forked child, and the thread that was to do it is its parent's."""
        return self._pid != os.getpid() and not self._done.is_set()

    @property
    def is_discarded(self) -> bool:
        """Whether nobody wants it any more."""
        return self._discarded

    @property
    def has_ended(self) -> bool:
        """Whether there is a result."""
        return self._done.is_set()

    def begin(self) -> None:
        """Do it in the background. What the definition itself takes is done here and now."""
        from podjig.engine.discovery import importing_client

        container = self._define()
        if container is not None:
            with importing_client():
                threading.Thread(target=self._in_turn, args=(container,), name="podjig-start", daemon=True).start()

    def run(self) -> None:
        """Do it here and now."""
        container = self._define()
        if container is not None:
            self._run(container)

    def told(self, startup: Startup) -> None:
        """Take what the container itself tells of its start; the first counts."""
        if self._startup is None:
            self._startup = startup

    def making(self, container: GenericContainer) -> None:
        """Say which container is being started, so that it can be removed should it not be wanted any more."""
        self._being_made = container

    def wait(self, limit: float | None = None) -> bool:
        """Wait for the end of it, and show its progress; at most ``limit`` seconds. Return whether it has ended."""
        deadline = None if limit is None else time.monotonic() + limit
        while not self._done.wait(_LOOK_EVERY):
            if self.is_lost or (deadline is not None and time.monotonic() > deadline):
                return False
            self._show()
        self._show()
        return True

    def result(self) -> GenericContainer:
        """Wait for the started container.

        Raises:
            BaseException: What the start has raised.
        """
        __tracebackhide__ = True
        self.wait()
        self.note()
        if self.error is not None:
            raise self.error
        assert self.container is not None
        return self.container

    def note(self) -> None:
        """Have it noted how it went, if that was not done yet."""
        noted, self._noted = self._noted, None
        if noted is not None:
            noted(self)

    def end(self) -> None:
        """Stop the container, or let go of one that is shared or kept."""
        if self.container is not None:
            self.container.__exit__(None, None, None)

    def discard(self) -> None:
        """Stop it, or have it stopped as soon as it is there. Does not wait."""
        with self._mutex:
            self._discarded = True
            done = self._done.is_set()
        try:
            if done:
                self.end()
            elif self._being_made is not None:
                self._being_made.stop()  # it no longer waits for what will not be
        except PodjigError as error:
            # It is still the session's, which ends later.
            warnings.warn(f"what {self.wanted.label} has begun could not be stopped yet: {error}", stacklevel=2)

    def _define(self) -> GenericContainer | None:
        from podjig.cleanup import signals

        signals.unwind_on_terminate()  # here, for that a thread cannot
        try:
            return self.wanted.service.make(self._config, self.wanted.param)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001  pytest.skip() raises one, and the fixture shall
            self.error = error
            self._done.set()
            return None

    def _in_turn(self, container: GenericContainer) -> None:
        from podjig.image import progress

        with _turn, progress.aside(self._lines.append):
            if self._discarded:
                self._done.set()
            else:
                self._run(container, aside=True)

    def _run(self, container: GenericContainer, *, aside: bool = False) -> None:
        __tracebackhide__ = True
        began = time.perf_counter()
        _this_thread.start = self
        try:
            self.container = self._open(container)
        except BaseException as error:
            if not aside and isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            self.error = error
        finally:
            _this_thread.start = None
            self.seconds = time.perf_counter() - began
            if self._startup is not None:
                self.waited_for = self._startup.waited_for
                self.reuse_note = self._startup.note
                self.how = how_of(self._startup)
            with self._mutex:
                self._done.set()
                discarded = self._discarded
        if discarded:
            self.discard()

    def _open(self, container: GenericContainer) -> GenericContainer:
        __tracebackhide__ = True
        from podjig.pytest_plugin.xdist import shared_services

        shared = shared_services(self._config, self.wanted, container)
        if shared is not None:
            return shared.obtain(self, container)
        self.making(container)
        return container.start()

    def _show(self) -> None:
        if self._lines:
            from podjig.image import progress

            while self._lines:
                progress.put(self._lines.pop(0))
