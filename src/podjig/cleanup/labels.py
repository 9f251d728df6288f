"""The labels on everything podjig makes: whose it is, since when, until when. A contract: see docs/cleanup.md."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PREFIX = "org.podjig."

SESSION = PREFIX + "session"
KIND = PREFIX + "kind"
NAME = PREFIX + "name"
POD = PREFIX + "pod"
CREATED = PREFIX + "created"
EXPIRES = PREFIX + "expires"
KEEP = PREFIX + "keep"
REQUESTED_BY = PREFIX + "requested-by"
LEASES = PREFIX + "leases"
OWNER_PID = PREFIX + "owner.pid"
OWNER_START = PREFIX + "owner.start"
OWNER_BOOT = PREFIX + "owner.boot"
OWNER_HOST = PREFIX + "owner.host"
OWNER_USER = PREFIX + "owner.user"

Kind = Literal["container", "pod", "network", "volume", "image"]

_LONGEST_REQUEST = 200


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The process a session belongs to.

    Attributes:
        pid: Its number, in its own pid namespace: for people, never a proof of life.
        start: When it started, in clock ticks since boot (field 22 of ``/proc/PID/stat``); 0 where unknown.
        boot: The kernel's boot id; empty where unknown.
        host: The host's name.
        user: The user's id.
    """

    pid: int
    start: int
    boot: str
    host: str
    user: int

    @classmethod
    def this_process(cls) -> Owner:
        """Return this process as an owner."""
        return cls(
            pid=os.getpid(), start=start_time(os.getpid()), boot=boot_id(), host=os.uname().nodename, user=os.getuid()
        )


def owner_labels(owner: Owner, *, session: str, leases: str) -> dict[str, str]:
    """Return the labels that are the same on all of a session's resources."""
    return {
        SESSION: session,
        LEASES: leases,
        OWNER_PID: str(owner.pid),
        OWNER_START: str(owner.start),
        OWNER_BOOT: owner.boot,
        OWNER_HOST: owner.host,
        OWNER_USER: str(owner.user),
    }


def resource_labels(kind: Kind, *, lifetime: float, keep: str = "", name: str = "") -> dict[str, str]:
    """Return the labels of one resource that is made now.

    Args:
        kind: What it is.
        lifetime: Seconds until it expires.
        keep: Why it is to outlive its session; empty if it is not.
        name: An image's name: other names that it is given later are not ours to remove.
    """
    now = time.time()
    labels = {
        KIND: kind,
        CREATED: format_time(now),
        EXPIRES: format_time(now + lifetime),
        REQUESTED_BY: _requested_by(),
    }
    return {**labels, **{label: value for label, value in ((KEEP, keep), (NAME, name)) if value}}


def format_time(seconds: float) -> str:
    """Return a time as RFC 3339 has it, in UTC, with seconds: ``2026-01-31T12:00:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def parse_time(text: str) -> float | None:
    """Return what :func:`format_time` wrote in seconds since the epoch; ``None`` for anything else."""
    import calendar

    try:
        return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))
    except ValueError:
        return None


def ours(labels: Mapping[str, str]) -> dict[str, str]:
    """Return those of a resource's labels that are podjig's."""
    return {label: value for label, value in labels.items() if label.startswith(PREFIX)}


def expiry(labels: Mapping[str, str]) -> float | None:
    """Return when a resource expires, in seconds since the epoch; ``None`` where its labels do not say."""
    return parse_time(labels.get(EXPIRES, ""))


def boot_id() -> str:
    """Return the kernel's boot id; empty where it has none to show."""
    return _read("/proc/sys/kernel/random/boot_id")


def start_time(pid: int) -> int:
    """Return when a process started, in clock ticks since boot; 0 where that cannot be seen."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else 0


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123  pathlib would cost its import in the helper process
            return file.read().strip()
    except OSError:
        return ""


def _requested_by() -> str:
    """The test that asked, as pytest tells; else the program."""
    asked = os.environ.get("PYTEST_CURRENT_TEST") or (sys.argv[0] if sys.argv else "")
    return asked[:_LONGEST_REQUEST]
