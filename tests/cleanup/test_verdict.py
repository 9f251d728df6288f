from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from podjig.cleanup.kept import KeptRecords
from podjig.cleanup.labels import (
    CREATED,
    EXPIRES,
    OWNER_BOOT,
    OWNER_HOST,
    Owner,
    format_time,
    owner_labels,
    parse_time,
    resource_labels,
)
from podjig.cleanup.lease import LeaseFolder, create
from podjig.cleanup.verdict import Judge, Verdict

HOUR = 3600.0


@pytest.fixture
def leases(tmp_path: Path) -> LeaseFolder:
    return LeaseFolder(tmp_path / "leases")


@pytest.fixture
def kept(tmp_path: Path) -> KeptRecords:
    return KeptRecords(tmp_path / "kept")


def labels(leases: LeaseFolder, *, keep: str = "", **changes: str) -> dict[str, str]:
    mine = owner_labels(Owner.this_process(), session="s1", leases=leases.id)
    return {**mine, **resource_labels("container", lifetime=HOUR, keep=keep), **changes}


def judged(leases: LeaseFolder, kept: KeptRecords, of: dict[str, str], *, at: float = 0.0) -> Verdict:
    return Judge(leases, kept, now=time.time() + at).judge("c1", of)


def ended(leases: LeaseFolder) -> None:
    create(leases, "s1", address="").release()


def test_a_living_session_keeps_everything_even_what_has_expired(leases: LeaseFolder, kept: KeptRecords) -> None:
    lease = create(leases, "s1", address="")
    kept.keep("c1", seconds=1, why="to look at")
    for at in (0.0, 1000 * HOUR):
        verdict = judged(leases, kept, labels(leases), at=at)
        assert (verdict.standing, verdict.by) == ("alive", "nobody")
    lease.release()


def test_an_ended_session_keeps_nothing(leases: LeaseFolder, kept: KeptRecords) -> None:
    ended(leases)
    verdict = judged(leases, kept, labels(leases))
    assert (verdict.standing, verdict.removable) == ("ended", True)


def test_what_is_kept_stays_until_it_expires(leases: LeaseFolder, kept: KeptRecords) -> None:
    ended(leases)
    mine = labels(leases, keep="to look at")
    verdict = judged(leases, kept, mine)
    assert (verdict.standing, verdict.by) == ("kept", "all")
    assert "to look at" in verdict.why
    assert judged(leases, kept, mine, at=2 * HOUR).removable


def test_what_was_kept_later_has_a_record(leases: LeaseFolder, kept: KeptRecords) -> None:
    ended(leases)
    kept.keep("c1", seconds=10 * HOUR, why="it failed")
    assert judged(leases, kept, labels(leases), at=2 * HOUR).standing == "kept"
    assert judged(leases, kept, labels(leases), at=11 * HOUR).removable
    kept.forget("c1")
    assert judged(leases, kept, labels(leases)).standing == "ended"


def test_a_record_that_cannot_be_read_keeps(leases: LeaseFolder, kept: KeptRecords, tmp_path: Path) -> None:
    ended(leases)
    kept.keep("c1", seconds=1, why="")
    (tmp_path / "kept/c1").write_text("{")
    verdict = judged(leases, kept, labels(leases), at=1000 * HOUR)
    assert (verdict.standing, verdict.by, verdict.until) == ("kept", "all", None)
    assert "cannot be read" in verdict.why


def test_a_lease_deleted_by_hand_proves_nothing(leases: LeaseFolder, kept: KeptRecords) -> None:
    verdict = judged(leases, kept, labels(leases))
    assert (verdict.standing, verdict.by) == ("unknown", "name")
    assert "lease is gone" in verdict.why
    assert judged(leases, kept, labels(leases), at=2 * HOUR).standing == "expired"


def test_leases_that_cannot_be_seen_prove_nothing(leases: LeaseFolder, kept: KeptRecords, tmp_path: Path) -> None:
    ended(leases)
    others = labels(LeaseFolder(tmp_path / "elsewhere"))
    verdict = judged(leases, kept, others)
    assert (verdict.standing, verdict.by) == ("unknown", "name")
    assert "cannot be seen from here" in verdict.why
    assert judged(leases, kept, others, at=2 * HOUR).removable


def test_pids_are_never_asked(leases: LeaseFolder, kept: KeptRecords) -> None:
    """A pid that is used again, and one that nobody here has, change nothing."""
    ended(leases)
    for pid in (str(os.getpid()), "4194304", "1", ""):
        assert judged(leases, kept, labels(leases, **{"org.podjig.owner.pid": pid})).standing == "ended"


def test_after_a_reboot_a_lease_on_disk_still_counts(leases: LeaseFolder, kept: KeptRecords) -> None:
    ended(leases)
    assert judged(leases, kept, labels(leases, **{OWNER_BOOT: "the boot before"})).standing == "ended"


def test_after_a_reboot_that_took_the_leases_all_may_be_asked_for(
    leases: LeaseFolder, kept: KeptRecords, tmp_path: Path
) -> None:
    before = labels(LeaseFolder(tmp_path / "gone"), **{OWNER_BOOT: "the boot before"})
    verdict = judged(leases, kept, before)
    assert (verdict.standing, verdict.by) == ("unknown", "all")
    assert "restarted" in verdict.why


def test_a_free_lock_of_another_kernel_proves_nothing(leases: LeaseFolder, kept: KeptRecords) -> None:
    ended(leases)
    elsewhere = labels(leases, **{OWNER_HOST: "another", OWNER_BOOT: "another"})
    verdict = judged(leases, kept, elsewhere)
    assert (verdict.standing, verdict.by) == ("unknown", "name")
    assert "another machine" in verdict.why


@pytest.mark.parametrize("at", [-10000 * HOUR, -HOUR])
def test_a_clock_set_back_removes_nothing_sooner(leases: LeaseFolder, kept: KeptRecords, at: float) -> None:
    assert judged(leases, kept, labels(leases), at=at).standing == "unknown"


@pytest.mark.parametrize("expires", ["", "tomorrow", "2026-13-45T00:00:00Z"])
def test_an_expiry_that_cannot_be_read_never_comes(leases: LeaseFolder, kept: KeptRecords, expires: str) -> None:
    verdict = judged(leases, kept, labels(leases, **{EXPIRES: expires}), at=10000 * HOUR)
    assert (verdict.standing, verdict.until) == ("unknown", None)
    assert "never" in verdict.why


def test_labels_say_whose_and_since_when(leases: LeaseFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/test_x.py::test_y (setup)")
    mine = labels(leases, keep="why")
    assert {name.removeprefix("org.podjig.") for name in mine} == {
        "session", "leases", "kind", "created", "expires", "keep", "requested-by",
        "owner.pid", "owner.start", "owner.boot", "owner.host", "owner.user",
    }  # fmt: skip
    assert mine["org.podjig.requested-by"] == "tests/test_x.py::test_y (setup)"
    created, expires = parse_time(mine[CREATED]), parse_time(mine[EXPIRES])
    assert created is not None
    assert expires == created + HOUR
    assert parse_time(format_time(0)) == 0
