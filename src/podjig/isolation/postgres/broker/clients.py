"""What the broker knows of each test process, and of each template."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from podjig.isolation.postgres.broker.messages import Conversation


@dataclass(eq=False, kw_only=True)
class Client:
    """One test process.

    Attributes:
        conversation: With it.
        template: What it wants clones of; empty until it has said hello.
        held: The databases it has.
        wanted: How many more it wants.
        hurry: A test waits for one.
        flushing: It waits for what it gave back to be dropped.
    """

    conversation: Conversation
    template: str = ""
    held: set[str] = field(default_factory=set)
    wanted: int = 0
    hurry: bool = False
    flushing: bool = False


@dataclass(kw_only=True)
class Template:
    """One template, and its clones that nobody has yet.

    Attributes:
        name: Its name.
        ready: Clones.
        making: How many are being made.
        size: Its size in bytes; 0 while unknown.
        retry_at: After a failure: when it is tried again (monotonic time) though no test waits.
    """

    name: str
    ready: deque[str] = field(default_factory=deque)
    making: int = 0
    size: int = 0
    retry_at: float = 0.0


@dataclass(kw_only=True)
class Used:
    """A database that came back, to be dropped.

    Attributes:
        name: Its name.
        requester: Whose it was, for messages.
        client: Who gave it back; ``None`` where nobody is to be told anything.
        returned: When (monotonic time).
        due: When it is to be looked at next.
    """

    name: str
    requester: str
    client: Client | None
    returned: float
    due: float
