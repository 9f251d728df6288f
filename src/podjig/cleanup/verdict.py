"""Who may remove what: by its lease, its expiry and whether it is kept on purpose. Never by podjig's label alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from podjig.cleanup.kept import KeptRecords
from podjig.cleanup.labels import KEEP, LEASES, SESSION, expiry, format_time
from podjig.cleanup.lease import LeaseFolder, LeaseState

Standing = Literal["alive", "ended", "kept", "expired", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is known of a resource's session, and what follows.

    Attributes:
        standing: ``"alive"`` (its session runs), ``"ended"``, ``"kept"`` (on purpose, until it expires),
            ``"expired"``, or ``"unknown"`` (its lease cannot be seen from here).
        removable: Whether anybody may remove it.
        why: The reason, in words.
    """

    standing: Standing
    removable: bool
    why: str


class Judge:
    """Judges resources; looks at each lease once.

    Args:
        leases: The leases that can be seen from here.
        kept: The records of what is kept.
        now: The time, in seconds since the epoch.
    """

    def __init__(self, leases: LeaseFolder, kept: KeptRecords, *, now: float | None = None) -> None:
        self._leases = leases
        self._kept = kept
        self._now = time.time() if now is None else now
        self._states: dict[str, LeaseState] = {}

    def judge(self, id: str, labels: Mapping[str, str]) -> Verdict:
        """Return the verdict on a resource, by its id and labels."""
        record = self._kept.get(id)
        until = record.until if record else expiry(labels)
        expired = until is not None and until < self._now
        when = format_time(until) if until is not None else "never"
        why_kept = record.why if record else labels.get(KEEP, "")
        if why_kept and not expired:
            return Verdict(standing="kept", removable=False, why=f"kept until {when}: {why_kept}")
        if labels.get(LEASES) == self._leases.id:
            state = self._state(labels.get(SESSION, ""))
            if state is LeaseState.HELD:
                return Verdict(standing="alive", removable=False, why="its session runs")
            if state is LeaseState.FREE:
                return Verdict(standing="ended", removable=True, why="its session has ended")
            unseen = "its session's lease is gone"
        else:
            unseen = "its session's lease cannot be seen from here"
        if expired:
            return Verdict(standing="expired", removable=True, why=f"it expired at {when}")
        return Verdict(standing="unknown", removable=False, why=f"{unseen}; it expires at {when}")

    def _state(self, session: str) -> LeaseState:
        if session not in self._states:
            self._states[session] = self._leases.state(session)
        return self._states[session]
