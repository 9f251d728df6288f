"""Who is connected to a Redis server, and in the middle of what."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from podjig.isolation.redis.server import Line

GRACE = 0.25
"""Seconds in which a connection that was closed may take to be noticed by the server: on a busy machine a warning for
nothing is worse than a wait."""

_POLL = 0.001


@dataclass(frozen=True, kw_only=True)
class Client:
    """One connection. Source: Redis's documentation of CLIENT LIST.

    Attributes:
        id: Its id on the server.
        name: The name that it gave itself.
        index: The database that it has selected.
        fields: All that the server says of it.
    """

    id: int
    name: str
    index: int
    fields: dict[str, str]

    @property
    def busy(self) -> bool:
        """Whether it is in the middle of something: subscribed, blocked, in a transaction, watching or monitoring."""
        return bool(self.activity)

    @property
    def is_blocked(self) -> bool:
        """Whether it waits for what somebody will write."""
        return "b" in self.fields.get("flags", "")

    @property
    def activity(self) -> str:
        """What it is in the middle of, in words; empty for nothing."""
        fields = self.fields
        if any(fields.get(name, "0") != "0" for name in ("sub", "psub", "ssub")):
            return "subscribed"
        if self.is_blocked:
            return f"blocked in {fields.get('cmd', '').upper()}"
        if fields.get("multi", "-1") != "-1":
            return "in a MULTI transaction"
        if fields.get("watch", "0") != "0":
            return "watching keys"
        return "monitoring" if "O" in fields.get("flags", "") else ""

    def __str__(self) -> str:
        name = f"{self.name!r}, " if self.name else ""
        activity = self.activity or f"idle after {self.fields.get('cmd', '').upper() or 'nothing'}"
        return f"a connection left open (id {self.id}, {name}{activity})"


def parse(text: str) -> list[Client]:
    """Read what CLIENT LIST answers."""
    found = []
    for line in text.splitlines():
        fields: dict[str, str] = {name: value for name, _, value in (word.partition("=") for word in line.split(" "))}
        if "id" in fields:
            found.append(
                Client(id=int(fields["id"]), name=fields.get("name", ""), index=int(fields.get("db", 0)), fields=fields)
            )
    return found


def end(line: Line, found: list[Client], wanted: Callable[[Client], bool]) -> list[Client]:
    """Give clients a moment to go by themselves, then end them; return those that had to be ended.

    Args:
        line: A connection to the server.
        found: Who was there.
        wanted: Says of a client whether it is to go.
    """
    until = time.monotonic() + GRACE
    left = [client for client in found if wanted(client)]
    while left and time.monotonic() < until:
        time.sleep(_POLL)
        (text,) = line.ask(("CLIENT", "LIST"))
        left = [client for client in parse(text) if wanted(client)]
    for client in left:
        line.ask(("CLIENT", "KILL", "ID", client.id))
    return left
