"""What every way to a clean state can do, whatever the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

State = TypeVar("State")


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """Something that a test left behind, and that was put away.

    Attributes:
        requester: Who had the state: a pytest node id, or what was given to ``acquire``.
        what: What it was, in words: ``"an idle transaction (pid 71, 'INSERT INTO ...')"``.
    """

    requester: str
    what: str


@dataclass(frozen=True, kw_only=True)
class StateAccess:
    """How people get at a state that was kept: command lines for them to copy.

    Attributes:
        opens: What opens it; empty where nothing does.
        removes: What removes it; empty where it goes with its server only.
        lasts: It stays until somebody removes it: podjig has not started its server, and will not end it.
    """

    opens: str = ""
    removes: str = ""
    lasts: bool = False


@runtime_checkable
class Accessible(Protocol):
    """A state that people can look at when it is kept. A state need not be one."""

    def access(self) -> StateAccess:
        """Return how they get at it.

        Raises:
            PodjigError: The engine was asked, and does not tell.
        """
        ...


class Isolation(Protocol[State]):
    """Gives out clean states of one server and takes them back used.

    One object serves one process: a forked child makes its own. Calls come from one thread at a time.
    """

    def acquire(self, requester: str = "") -> State:
        """Return a clean state, for nobody else until it is released.

        Args:
            requester: Who asks, for messages: a pytest node id.

        Raises:
            IsolationError: There is none to be had.
        """
        ...

    def release(self, state: State, *, keep: bool = False) -> None:
        """Take a state back, whatever was done to it. Quick: what takes time is done aside.

        Args:
            state: What :meth:`acquire` returned.
            keep: Leave it as it is, to be looked at; it is not given out again.
        """
        ...

    def leftovers(self) -> list[Leftover]:
        """Return what was found left behind since the last call. A test's may come some milliseconds after its end."""
        ...

    def close(self) -> None:
        """End: put away everything made here but what is kept. Safe to call twice."""
        ...
