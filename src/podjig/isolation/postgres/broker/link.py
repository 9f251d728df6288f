"""A test process's side of its conversation with the broker."""

from __future__ import annotations

import os
import weakref
from collections import deque

from podjig.errors import IsolationError
from podjig.isolation.postgres.broker.launch import join
from podjig.isolation.postgres.broker.messages import Conversation
from podjig.isolation.protocol import Leftover


class Link:
    """A connection to the broker, which it starts if need be.

    Attributes:
        token: The broker's; empty until it has answered.
        pid: Its process; 0 until then.
        ready: Databases that it gave, and that no test has yet.
        left: What it found left behind.
        failure: Why it could not make what a test waits for.
        flushed: It has dropped all that it was asked to.
    """

    def __init__(self, key: str, *, server: dict[str, object], template: str) -> None:
        """Join the broker of ``key``.

        Args:
            key: The broker's.
            server: libpq's parameters.
            template: What databases are to be clones of.

        Raises:
            OSError: There is no broker, and none can be started.
            EngineError: There is no folder for its socket.
        """
        self._conversation = Conversation(join(key))
        self._asked = 0
        self.token: str = ""
        self.pid: int = 0
        self.ready: deque[str] = deque()
        self.left: list[Leftover] = []
        self.failure: IsolationError | None = None
        self.flushed: bool = False
        _links.add(self)
        self.say("hello", server=server, template=template)

    def say(self, what: str, **details: object) -> None:
        """Tell the broker something.

        Raises:
            ConnectionError: It has gone.
        """
        self._conversation.say(what, **details)

    def want(self, count: int) -> None:
        """See to it that ``count`` databases are here or asked for.

        Raises:
            ConnectionError: It has gone.
        """
        more = count - len(self.ready) - self._asked
        if more > 0:
            self.say("take", count=more)
            self._asked += more

    def listen(self, timeout: float = 0) -> None:
        """Note what the broker has said, after waiting for something for at most ``timeout`` seconds.

        Raises:
            ConnectionError: It has gone.
        """
        for message in self._conversation.hear(timeout):
            match message["say"]:
                case "hello":
                    self.token, self.pid = message["token"], message["pid"]
                case "database":
                    self._asked -= 1
                    self.ready.append(message["name"])
                case "failed":
                    self._asked -= 1
                    self.failure = IsolationError(message["message"], hint=message["hint"])
                case "left":
                    self.left.append(Leftover(requester=message["requester"], what=message["found"]))
                case "flushed":
                    self.flushed = True

    def close(self) -> None:
        """Hang up: the broker takes back everything. Of a forked child's copy nobody hears."""
        self._conversation.close()


_links: weakref.WeakSet[Link] = weakref.WeakSet()


def _hang_up_in_child() -> None:
    """Close a forked child's copies: while they are open, the broker would not notice its parent's end."""
    for link in list(_links):
        link.close()


os.register_at_fork(after_in_child=_hang_up_in_child)
