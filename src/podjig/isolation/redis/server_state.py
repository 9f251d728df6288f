"""What belongs to a whole Redis server, and so does not go with a test's keys: settings, users, function libraries.

Whether a test changed any of it is read from how often the server was told to: that is one short answer, where all that
could have been changed is a long one. Who did it the server does not say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from podjig.errors import IsolationError
from podjig.isolation.redis.server import Line

Command = Sequence["str | int"]

_COUNTS: Command = ("INFO", "commandstats")
_CHANGING = re.compile(
    r"^cmdstat_(config\|(?:set|resetstat)|acl\|(?:setuser|deluser|load)|function\|(?:load|delete|flush|restore)"
    r"|flushall|config|acl):calls=(\d+)",  # the last two before Redis 7, which counts no subcommands
    re.MULTILINE,
)
_KINDS = ("setting", "user", "function library")


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that was made, changed or removed.

    Attributes:
        kind: ``setting``, ``user`` or ``function library``.
        name: Its name.
        before: Its value, rules or code before; ``None`` where it was not there.
        after: The same now; ``None`` where it is no more.
    """

    kind: str
    name: str
    before: str | None
    after: str | None

    @property
    def key(self) -> tuple[str, str]:
        """Its kind and name."""
        return self.kind, self.name

    def __str__(self) -> str:
        verb = "new" if self.before is None else "removed" if self.after is None else "changed"
        return f"a {verb} {self.kind} ({self.name!r}) of the whole server"


State = dict[tuple[str, str], str]
"""All of it: by its kind and name a thing's value, rules or code."""


class Guard:
    """Puts back what a test changed on the whole server. Bound to one connection."""

    def __init__(self, line: Line, *, undoes: bool) -> None:
        """Look at the server. To a user who may not see it, nothing is ever changed.

        Args:
            line: A connection, for as long as this lives.
            undoes: Put changes back; else only tell. On a server that others use too, they might be theirs.
        """
        self._line = line
        self._undoes = undoes
        self.commands: tuple[Command, ...] = (_COUNTS,)
        """What is to be asked after each test, and its answers given to :meth:`check`."""
        try:
            self._state = _read(line)
            self._counts = _counts(*line.ask(_COUNTS))
        except IsolationError:
            self.commands = ()

    def check(self, answers: list[str], *, others: bool) -> list[str]:
        """Put back what was changed since the last call, and return it, each in words.

        Args:
            answers: Those to :attr:`commands`.
            others: Other processes use the server. Their tests may need what was changed: then it stays.

        Raises:
            IsolationError: The server does not answer.
        """
        if not answers or _counts(*answers) == self._counts:
            return []
        whose = ", by this test or one of another process" if others else ""
        flushed = _counts(*answers).get("flushall") != self._counts.get("flushall")
        told = [f"databases of other tests that FLUSHALL has emptied{whose}"] if flushed and others else []
        found = _changes(self._state, _read(self._line))
        failures = {change: _undo(self._line, change) for change in found} if self._undoes and not others else {}
        self._state, before = _read(self._line), self._state
        self._counts = _counts(*self._line.ask(_COUNTS))
        if not self._undoes:
            reason = "others may use it too"
        else:
            reason = "other processes' tests may need it" if others else "it cannot be put back"
        for change in found:
            is_back = self._state.get(change.key) == before.get(change.key)
            stays = "" if is_back else f", which stays: {failures.get(change) or reason}"
            told.append(f"{change}{whose}{stays}")
        return told


def _counts(text: str) -> dict[str, str]:
    """Return how often the server was told to change something."""
    return dict(_CHANGING.findall(text))


def _read(line: Line) -> State:
    settings, users = line.ask(("CONFIG", "GET", "*"), ("ACL", "LIST"))
    found: State = {("setting", name): value for name, value in zip(settings[::2], settings[1::2], strict=True)}
    for rules in users:
        _, name, rest = rules.split(" ", 2)
        found["user", name] = rest
    try:
        (libraries,) = line.ask(("FUNCTION", "LIST", "WITHCODE"))
    except IsolationError:  # before Redis 7
        return found
    for each in libraries:
        fields = dict(zip(each[::2], each[1::2], strict=True))
        found["function library", fields["library_name"]] = fields["library_code"]
    return found


def _changes(before: State, after: State) -> list[Change]:
    keys = sorted(before.keys() | after.keys(), key=lambda key: (_KINDS.index(key[0]), key[1]))
    return [
        Change(kind=key[0], name=key[1], before=before.get(key), after=after.get(key))
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _undo(line: Line, change: Change) -> str:
    """Put one thing back; return why that was not possible, if so."""
    command: Command
    if change.kind == "setting":
        command = ("CONFIG", "SET", change.name, change.before or "")
    elif change.kind == "user":
        rules = ("SETUSER", change.name, *_rules(change)) if change.before else ("DELUSER", change.name)
        command = ("ACL", *rules)
    else:
        how = ("LOAD", "REPLACE", change.before) if change.before else ("DELETE", change.name)
        command = ("FUNCTION", *how)
    try:
        line.ask(command)
    except IsolationError as error:
        return error.message
    return ""


def _rules(change: Change) -> Iterator[str]:
    """Yield a user's rules before, after those that take away what it may have: ``reset`` would add one."""
    yield from ("resetpass", "resetkeys", "resetchannels", "nocommands")
    if "(" in f"{change.before}{change.after}":
        yield "clearselectors"
    yield from re.findall(r"\([^)]*\)|\S+", change.before or "")  # several words in parentheses are one
