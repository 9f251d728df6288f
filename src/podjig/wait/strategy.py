"""The base of all wait strategies: one question, asked until it is answered with yes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from podjig.spec import seconds

if TYPE_CHECKING:
    from typing_extensions import Self

    from podjig.wait.target import WaitTarget


class WaitStrategy(ABC):
    """Decides when a container is ready.

    A strategy holds no state of a wait: one object may serve many containers at once. Subclasses give
    :meth:`check` and :meth:`describe`; polling, the deadline and the watch over the container's life are
    :func:`podjig.wait.loop.wait_until_ready`'s.

    Attributes:
        startup_timeout: Seconds until the wait is given up; ``None`` takes the setting ``startup_timeout``.
        poll_interval: Seconds between two checks; ``None`` adapts, from 10 ms to 250 ms.
        transient_exceptions: Exceptions of a check that mean "not yet".
        expects_exit: Whether the container's end is what is waited for, and not a failure.
    """

    startup_timeout: float | None = None
    poll_interval: float | None = None
    transient_exceptions: tuple[type[Exception], ...] = ()
    expects_exit: bool = False

    @abstractmethod
    def check(self, target: WaitTarget) -> str | None:
        """Look once. Return ``None`` when ready, else what is missing, in words.

        :class:`OSError` and :attr:`transient_exceptions` count as "not yet"; other exceptions end the wait.
        """

    @abstractmethod
    def describe(self) -> str:
        """Return what is waited for, in words that follow "waited for"."""

    def with_startup_timeout(self, timeout: float | timedelta) -> Self:
        """Give up after ``timeout`` seconds.

        Raises:
            DefinitionError: It is negative or no number.
        """
        self.startup_timeout = seconds(timeout, what="startup timeout")
        return self

    def with_poll_interval(self, interval: float | timedelta) -> Self:
        """Check every ``interval`` seconds instead of adaptively.

        Raises:
            DefinitionError: It is negative or no number.
        """
        self.poll_interval = seconds(interval, what="poll interval")
        return self

    def with_transient_exceptions(self, *exceptions: type[Exception]) -> Self:
        """Treat these exceptions of a check as "not yet"."""
        self.transient_exceptions = (*self.transient_exceptions, *exceptions)
        return self

    def wait_until_ready(self, container: WaitTarget) -> None:
        """Wait until ``container`` is ready.

        Raises:
            WaitTimeout: It was not ready in time.
            ContainerExited: It ended before it was ready.
        """
        from podjig.wait.loop import wait_until_ready

        wait_until_ready(container, self)


Condition = WaitStrategy | Callable[[Any], object]
"""What ``waiting_for()`` takes: a strategy, or a callable that gets the container and returns something true."""
