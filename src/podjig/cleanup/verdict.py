"""Who may remove what: by its lease, its expiry and whether it is kept on purpose. Never by podjig's label alone."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from podjig.cleanup.kept import KeptRecords
from podjig.cleanup.labels import KEEP, LEASES, OWNER_BOOT, OWNER_HOST, SESSION, boot_id, expiry, format_time
from podjig.cleanup.lease import LeaseFolder, LeaseState
from podjig.cleanup.reuse import is_held

Standing = Literal["alive", "ended", "kept", "expired", "unknown"]

Remover = Literal["anyone", "all", "name", "nobody"]
"""What it takes to have something removed: nothing (any clean-up does), ``clean --all``, its name, or not at all."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is known of a resource's session, and what follows.

    Attributes:
        standing: ``"alive"`` (its session runs), ``"ended"``, ``"kept"`` (on purpose, until it expires),
            ``"expired"``, or ``"unknown"`` (its lease cannot be seen from here).
        by: What it takes to have it removed.
        why: The reason, in words.
        until: When it expires, in seconds since the epoch; ``None`` for never.
    """

    standing: Standing
    by: Remover
    why: str
    until: float | None = None

    @property
    def removable(self) -> bool:
        """Whether any clean-up removes it."""
        return self.by == "anyone"


class Judge:
    """Judges resources; looks at each lease once.

    Args:
        leases: The leases that can be seen from here.
        kept: The records of what is kept.
        now: The time, in seconds since the epoch.
        boot: The kernel's boot id.
    """

    def __init__(
        self, leases: LeaseFolder, kept: KeptRecords, *, now: float | None = None, boot: str | None = None
    ) -> None:
        self._leases = leases
        self._kept = kept
        self._now = time.time() if now is None else now
        self._boot = boot_id() if boot is None else boot
        self._host = os.uname().nodename
        self._states: dict[str, LeaseState] = {}

    def judge(self, id: str, labels: Mapping[str, str]) -> Verdict:
        """Return the verdict on a resource, by its id and labels."""
        state = self._state(labels.get(SESSION, "")) if labels.get(LEASES) == self._leases.id else None
        until, why_kept = self.keeping(id, labels)
        when = format_time(until) if until is not None else "never"

        def verdict(standing: Standing, by: Remover, why: str) -> Verdict:
            return Verdict(standing=standing, by=by, why=why, until=until)

        if self._in_use(id):
            return verdict("alive", "nobody", "a run is using it, and leaves it for the next")
        if state is LeaseState.HELD:
            return verdict("alive", "nobody", "its session runs")
        if state is LeaseState.CLEANING:
            return verdict("ended", "nobody", "its session has ended and is being cleaned up")
        if why_kept:
            return verdict("kept", "all", f"kept until {when}: {why_kept}")
        same_machine = labels.get(OWNER_HOST) == self._host
        same_boot = labels.get(OWNER_BOOT) == self._boot
        # A lock is the kernel's word. Where another kernel may have given it (the folder lies on a shared disk),
        # that it is free here says nothing.
        if state is LeaseState.FREE and (same_machine or same_boot):
            return verdict("ended", "anyone", "its session has ended")
        if until is not None and until < self._now:
            return verdict("expired", "anyone", f"it expired at {when}")
        if same_machine and not same_boot and self._boot:
            why = "this machine was restarted since, and its lease went"
            return verdict("unknown", "all", f"{why}; it expires at {when}")
        seen = {
            LeaseState.ABSENT: "its session's lease is gone",
            LeaseState.FREE: "its session ran on another machine",
            None: "its session's lease cannot be seen from here",
        }[state]
        return verdict("unknown", "name", f"{seen}; it expires at {when}")

    def keeping(self, id: str, labels: Mapping[str, str]) -> tuple[float | None, str]:
        """Return when a resource expires (``None``: never), and why it is kept until then; empty if it is not."""
        record = self._kept.get(id)
        if record is None:
            until, why = expiry(labels), labels.get(KEEP, "")
        else:
            until, why = None if math.isinf(record.until) else record.until, record.why
        return until, "" if until is not None and until < self._now else why

    def _in_use(self, id: str) -> bool:
        record = self._kept.get(id)
        return record is not None and bool(record.lock) and is_held(Path(record.lock))

    def _state(self, session: str) -> LeaseState:
        if session not in self._states:
            self._states[session] = self._leases.state(session)
        return self._states[session]
