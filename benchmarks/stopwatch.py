"""A pytest plugin that times a run from inside: `-p stopwatch`. Writes one JSON file a process, for isolation.py.

All times are seconds of the monotonic clock, which every process of the machine shares.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any, TypedDict

import pytest

FOLDER = "BENCH_FOLDER"
"""The variable that says where the files go."""

SPIN = "BENCH_SPIN"
"""The variable that says how many rounds of :func:`spin` take a millisecond; empty: bodies sleep."""


class Timing(TypedDict):
    """One test: when it began, when its body did, how long its statements and its fixtures took, when it was over."""

    began: float
    body: float
    statements: float
    fixtures: float
    ended: float


class Watch(TypedDict):
    """What one process saw: its tests, what podjig noted in all, and of clean states after the first test."""

    tests: list[Timing]
    records: dict[str, Any]
    first: dict[str, Any]


_tests: list[Timing] = []
_first: dict[str, Any] = {}


def pytest_runtest_logstart() -> None:
    _tests.append({"began": time.monotonic(), "body": 0.0, "statements": 0.0, "fixtures": 0.0, "ended": 0.0})


def pytest_runtest_logfinish() -> None:
    _tests[-1]["ended"] = time.monotonic()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    if not _first:
        _first.update(_records(item.config))


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, None, None]:
    began = time.monotonic()
    yield
    if fixturedef.scope == "function" and _tests:
        _tests[-1]["fixtures"] += time.monotonic() - began


def pytest_unconfigure(config: pytest.Config) -> None:
    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    tests = [test for test in _tests if test["body"]]
    watch: Watch = {"tests": tests, "records": _records(config), "first": _first}
    Path(os.environ[FOLDER], f"{worker}.json").write_text(json.dumps(watch), encoding="utf-8")


def body(statements: Callable[[Any], None], connection: Any, milliseconds: float) -> None:
    """Be the body of a test: a few statements, and then so many milliseconds of sleep or of work."""
    timing = _tests[-1]
    timing["body"] = time.monotonic()
    statements(connection)
    timing["statements"] = time.monotonic() - timing["body"]
    rounds = os.environ.get(SPIN)
    if rounds:
        spin(round(float(rounds) * milliseconds))
    elif milliseconds:
        time.sleep(milliseconds / 1000)


def spin(rounds: int) -> None:
    """Work: the same amount for the same number, however busy the machine is."""
    for _ in range(rounds):
        sum(range(100))


def calibrate() -> float:
    """Return how many rounds of :func:`spin` take a millisecond here, when nothing else runs."""
    quickest = min(_seconds(lambda: spin(10_000)) for _ in range(5))
    return 10 / quickest


def read(folder: Path) -> Sequence[Watch]:
    """Return what the processes of a run wrote."""
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]


def states(watches: Sequence[Watch]) -> float:
    """Return the seconds that podjig took on average to give a clean state and to take it back, all but the first."""
    seconds, count = 0.0, 0
    for watch in watches:
        for records, sign in ((watch["records"], 1), (watch["first"], -1)):
            for each in records.get("isolations", []):
                seconds += sign * (each["waited"] + each["released"])
                count += sign * each["count"]
    return seconds / count if count else 0.0


def _records(config: pytest.Config) -> dict[str, Any]:
    if not config.pluginmanager.has_plugin("podjig.pytest_plugin"):
        return {}
    from podjig.pytest_plugin.record import records_of

    return dict(records_of(config).dump())


def _seconds(function: Callable[[], None]) -> float:
    began = time.monotonic()
    function()
    return time.monotonic() - began
