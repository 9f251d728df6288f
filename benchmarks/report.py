"""Medians, spreads and ratios of what was measured, as a table or as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from contestants import PEER, PEER_PROFILE, PODJIG, PODJIG_DURABLE

Samples = Mapping[tuple[str, str], Sequence[Mapping[str, float]]]
"""(contestant, service) -> one table of seconds for each round."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A median and the quartiles around it."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [*values] * 3
        return cls(median=median, low=low, high=high)

    def show(self, unit: float, form: str) -> str:
        return f"{self.median * unit:{form}} ({self.low * unit:{form}}-{self.high * unit:{form}})"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line: podjig beside the peer.

    Attributes:
        name: What was measured.
        podjig: Seconds.
        peer: Seconds; `None` where the peer has nothing like it.
        ratio: podjig / peer, of each round.
        goal: What the ratio (or, without a peer, podjig's seconds) shall not exceed.
    """

    name: str
    podjig: Spread
    peer: Spread | None
    ratio: Spread | None
    goal: float | None

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return (self.ratio or self.podjig).median <= self.goal


def rows(samples: Samples) -> list[Row]:
    """Return the lines of the table."""

    def row(name: str, service: str, step: str, goal: float | None = None, *, peer_step: str | None = "same",
            ours: str = PODJIG, theirs: str = PEER) -> Row:  # fmt: skip
        mine = [seconds[step] for seconds in samples[ours, service]]
        if peer_step is None:
            return Row(name=name, podjig=Spread.of(mine), peer=None, ratio=None, goal=goal)
        other = [seconds[step] for seconds in samples[theirs, service]]
        ratios = [a / b for a, b in zip(mine, other, strict=True)]
        return Row(name=name, podjig=Spread.of(mine), peer=Spread.of(other), ratio=Spread.of(ratios), goal=goal)

    return [
        row("import podjig, nothing used yet", "postgres", "import podjig", 0.030, peer_step=None),
        row("import PostgresContainer", "postgres", "import"),
        row("first engine answer after that", "postgres", "engine"),
        row("PostgreSQL: start to first query", "postgres", "start", 0.35),
        row("PostgreSQL: stop", "postgres", "stop", 0.5),
        row("PostgreSQL: bare interpreter to first query", "postgres", "whole"),
        row("Redis: start to first answer", "redis", "start", 0.25),
        row("Redis: stop", "redis", "stop", 0.5),
        row("Redis: bare interpreter to first answer", "redis", "whole"),
        row("PostgreSQL start, podjig durable=True", "postgres", "start", ours=PODJIG_DURABLE),
        row("PostgreSQL start, peer with the test profile by hand", "postgres", "start", theirs=PEER_PROFILE),
    ]


def table(lines: Sequence[Row]) -> str:
    """Return the lines as text."""
    head = ("", "podjig, ms", "testcontainers, ms", "ratio", "goal")
    body: list[tuple[str, ...]] = [head]
    for line in lines:
        if line.goal is None:
            goal = ""
        else:
            wanted = f"<= {line.goal:.2f}x" if line.ratio else f"<= {line.goal * 1000:.0f} ms"
            goal = f"{wanted} {'met' if line.met else 'MISSED'}"
        body.append(
            (
                line.name,
                line.podjig.show(1000, ".0f"),
                line.peer.show(1000, ".0f") if line.peer else "-",
                line.ratio.show(1, ".2f") if line.ratio else "-",
                goal,
            )
        )
    widths = [max(len(row[column]) for row in body) for column in range(len(head))]
    body.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) if column in (0, 4) else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip()
        for row in body
    )  # fmt: skip


def as_json(lines: Sequence[Row], samples: Samples, conditions: Mapping[str, object]) -> dict[str, object]:
    """Return all there is, for other programs."""
    return {
        "conditions": dict(conditions),
        "rows": [{**asdict(line), "met": line.met} for line in lines],
        "samples": [
            {"contestant": contestant, "service": service, "seconds": list(values)}
            for (contestant, service), values in samples.items()
        ],
    }
