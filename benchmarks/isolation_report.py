"""What isolation.py has measured, as tables beside the goals."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isolated_projects import BARE, BY_HAND, PEER, PEER_PROFILE, POOL, REUSE, ROLLBACK, ROLLBACK_ENGINE
from report import Spread

BODIES = (0, 20, 50)
"""How long the bodies are, in milliseconds."""

MANY = ((ROLLBACK, 0), (BY_HAND, 0), (POOL, 20), (PEER_PROFILE, 20))
"""Who is measured with many tests, and their bodies."""

# Goals, in milliseconds but for MANY_GOAL: seconds.
GOALS = {
    **{(name, body): 0.5 for name in (ROLLBACK, ROLLBACK_ENGINE) for body in BODIES},
    (POOL, 0): 15.0,
    (POOL, 50): 2.0,
}
MANY_GOAL = {ROLLBACK: 2.0, POOL: 5.0}
READY_GOAL, IMPORT_GOAL = 50.0, 15.0


@dataclass(frozen=True)
class Turn:
    """One measurement: a contestant, how long its tests' bodies are, how many tests, on how many xdist workers."""

    name: str
    body: int = 0
    tests: int = 1
    workers: int = 0

    def __str__(self) -> str:
        return f"{self.name}: {self.tests} tests of {self.body} ms, {self.workers or 'no'} workers"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of pytest.

    Attributes:
        seconds: From the start of its process to the end, without the tests' statements.
        start: From the start of its process to the body of the first test.
        loop: What a test took on average, with its body, without its statements. Neither the first counts, before
            which the server starts, nor the last, after which it is removed.
        waits: How long each of these waited for its connection.
        states: What podjig took, as it noted itself, to give a clean state and to take it back: on average, all but
            the first.
        services: The containers, as podjig noted them.
    """

    seconds: float
    start: float
    loop: float
    waits: Sequence[float]
    states: float
    services: Sequence[Mapping[str, Any]]


Round = dict[Turn, Run]
Value = Callable[[Round], float]


class Report:
    """The tables: medians of the rounds, quartiles in parentheses.

    Args:
        names: The contestants.
        tests: How many tests the long runs had.
        rounds: What was measured.
        imports: Seconds of importing the plugin's entry module.
        plugins: Seconds that the plugin adds to a run that does not use it.
    """

    def __init__(
        self,
        names: Sequence[str],
        tests: int,
        rounds: Sequence[Round],
        imports: Sequence[float],
        plugins: Sequence[float],
    ) -> None:
        self._names = names
        self._contestants = [name for name in names if name not in (BARE, REUSE)]
        self._tests = tests
        self._rounds = rounds
        self._imports = imports
        self._plugins = plugins

    def lines(self) -> Iterator[str]:
        """Yield them all."""
        yield from self._overheads()
        yield from self._states()
        yield from self._ratios()
        yield from self._waits()
        yield from self._many()
        yield from self._starts()

    def _overheads(self) -> Iterator[str]:
        yield heading("overhead a test, ms; bodies of", [f"{body} ms" for body in BODIES])
        for name in self._contestants:
            cells = [(self._of(self._overhead(name, body)), GOALS.get((name, body))) for body in BODIES]
            yield row(name, [judged(spread, goal, ".2f") for spread, goal in cells])

    def _states(self) -> Iterator[str]:
        yield heading("... of which giving and taking back, as podjig notes it", [f"{body} ms" for body in BODIES])
        for name in self._contestants:
            spreads = [self._of(self._state(name, body)) for body in BODIES]
            if any(spread.median for spread in spreads):
                goals = [GOALS.get((name, body)) for body in BODIES]
                yield row(name, [judged(*pair, ".2f") for pair in zip(spreads, goals, strict=True)])

    def _ratios(self) -> Iterator[str]:
        yield heading("ratio of these", [f"{body} ms" for body in BODIES])
        for other in (PEER_PROFILE, BY_HAND):
            for name in self._contestants:
                if other not in self._names or name in (PEER, PEER_PROFILE, BY_HAND):
                    continue
                pairs = [(self._overhead(name, body), self._overhead(other, body)) for body in BODIES]
                yield row(f"{name} / {other}", [self._of(quotient(*pair)).show(1, ".3f") for pair in pairs])

    def _waits(self) -> Iterator[str]:
        yield heading("wait for the connection, ms: p50, p95; bodies of", [f"{body} ms" for body in BODIES])
        for name in self._contestants:
            yield row(name, [self._wait(name, body) for body in BODIES])

    def _wait(self, name: str, body: int) -> str:
        turn = Turn(name, body, self._tests // 5)
        waits = [wait * 1000 for seen in self._rounds for wait in seen[turn].waits]
        return f"{statistics.median(waits):.2f}, {statistics.quantiles(waits, n=20, method='inclusive')[-1]:.2f}"

    def _many(self) -> Iterator[str]:
        yield heading(f"{self._tests} tests: overhead of all, start to end, s; on", ["1 worker", "2 workers"])
        for name, body in MANY:
            if name in self._names:
                spreads = [self._of(self._whole(name, body, workers)) for workers in (1, 2)]
                cells = [judged(spread, MANY_GOAL.get(name), ".2f") for spread in spreads]
                yield row(f"{name}, bodies of {body} ms", cells)

    def _starts(self) -> Iterator[str]:
        yield heading("session: from the start of pytest to the first body, ms", [])
        few = self._tests // 5
        for name in self._contestants:
            start = self._of(self._start(Turn(name, 0, few), Turn(BARE, 0, few)))
            yield row(name, [start.show(1, ".0f")])
        if REUSE in self._names:
            turn = Turn(REUSE, tests=2)
            start = self._of(self._start(turn, Turn(BARE, tests=2)))
            yield row(REUSE, [start.show(1, ".0f")])
            ready = self._of(lambda seen: sum(each["seconds"] for each in seen[turn].services) * 1000)
            yield row("... of which until the server is ready", [judged(ready, READY_GOAL, ".0f")])
        for name, seconds in (("import of its entry module", self._imports), ("all of it", self._plugins)):
            spread = Spread.of([value * 1000 for value in seconds])
            yield row(f"the plugin in a run that uses no container: {name}", [judged(spread, IMPORT_GOAL, ".1f")])

    def _of(self, value: Value) -> Spread:
        return Spread.of([value(seen) for seen in self._rounds])

    def _overhead(self, name: str, body: int) -> Value:
        few = self._tests // 5
        return lambda seen: (seen[Turn(name, body, few)].loop - seen[Turn(BARE, body, few)].loop) * 1000

    def _state(self, name: str, body: int) -> Value:
        return lambda seen: seen[Turn(name, body, self._tests // 5)].states * 1000

    def _whole(self, name: str, body: int, workers: int) -> Value:
        ours, bare = (Turn(each, body, self._tests, workers) for each in (name, BARE))
        return lambda seen: seen[ours].seconds - seen[bare].seconds

    def _start(self, ours: Turn, bare: Turn) -> Value:
        return lambda seen: (seen[ours].start - seen[bare].start) * 1000


def quotient(one: Value, other: Value) -> Value:
    """Return the ratio of two values of one round."""
    return lambda seen: one(seen) / other(seen)


def judged(spread: Spread, goal: float | None, form: str) -> str:
    """Return a spread beside its goal."""
    if goal is None:
        return spread.show(1, form)
    return f"{spread.show(1, form)} goal {goal:g}: {'met' if spread.median <= goal else 'MISSED'}"


def heading(name: str, cells: Sequence[str]) -> str:
    """Return the first line of a table."""
    return f"\n{row(name, cells)}"


def row(name: str, cells: Sequence[str]) -> str:
    """Return one line."""
    return f"{name:86}" + "".join(f"{cell:>38}" for cell in cells)
