"""What podjig has made and is still there, each thing with its owner and the verdict on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from podjig.cleanup.folders import Folders
from podjig.cleanup.labels import (
    CREATED,
    OWNER_HOST,
    OWNER_PID,
    OWNER_USER,
    REQUESTED_BY,
    SESSION,
    format_time,
    parse_time,
)
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.resource import Resource
from podjig.cleanup.verdict import Judge, Verdict


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing, and what is known of it.

    Attributes:
        resource: The thing.
        verdict: Whether it may be removed, and why.
    """

    resource: Resource
    verdict: Verdict

    @property
    def created(self) -> float | None:
        """When it was made, in seconds since the epoch; ``None`` where its labels do not say."""
        return parse_time(self._labels.get(CREATED, ""))

    @property
    def pid(self) -> int:
        """Its owner's process id, in its owner's pid namespace; 0 where its labels do not say."""
        pid = self._labels.get(OWNER_PID, "")
        return int(pid) if pid.isdecimal() else 0

    @property
    def host(self) -> str:
        """The name of its owner's host."""
        return self._labels.get(OWNER_HOST, "")

    @property
    def user(self) -> int | None:
        """Its owner's user id; ``None`` where its labels do not say."""
        user = self._labels.get(OWNER_USER, "")
        return int(user) if user.isdecimal() else None

    @property
    def requested_by(self) -> str:
        """The test or program that asked for it."""
        return self._labels.get(REQUESTED_BY, "")

    @property
    def session(self) -> str:
        """Its session's id."""
        return self._labels.get(SESSION, "")

    def older_than(self, seconds: float) -> bool:
        """Whether it was made that long ago. One that does not say is not."""
        return self.created is not None and time.time() - self.created > seconds

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values; times as RFC 3339 has them."""
        until = self.verdict.until
        return {
            "kind": self.resource.kind,
            "id": self.resource.id,
            "name": self.resource.name,
            "image": self.resource.image,
            "status": self.resource.status.lower(),
            "pod": self.resource.pod,
            "session": self.session,
            "owner": {"pid": self.pid, "host": self.host, "user": self.user},
            "requested_by": self.requested_by,
            "created": self._labels.get(CREATED, ""),
            "expires": "" if until is None else format_time(until),
            "standing": self.verdict.standing,
            "why": self.verdict.why,
            "removed_by": self.verdict.by,
        }

    @property
    def _labels(self) -> Mapping[str, str]:
        return self.resource.labels


def survey(client: LibpodClient, where: Folders) -> list[Entry]:
    """Look at everything podjig has made, in the order of its removal.

    Raises:
        EngineError: The engine cannot list.
    """
    judge = Judge(where.leases, where.kept)
    return [Entry(resource=item, verdict=judge.judge(item.id, item.labels)) for item in client.resources()]


def troubles(where: Folders) -> list[tuple[str, str]]:
    """Return the logs of what could not be removed: each file's path and its last line."""
    found = []
    for file in sorted(where.logs.glob("*.log")):
        lines = file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        if lines:
            found.append((str(file), lines[-1]))
    return found
