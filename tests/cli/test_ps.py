from __future__ import annotations

import json
import os
import time

import pytest

from cleanup.ghost import Ghost
from cleanup.world import World, line_of
from podjig.cleanup.inventory import Entry
from podjig.cleanup.labels import LEASES, REQUESTED_BY
from podjig.cleanup.resource import Resource
from podjig.cleanup.verdict import Verdict
from podjig.cli.ps import age, render


def test_nothing_is_said_too(world: World) -> None:
    done = world.podjig("ps")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Nothing of podjig's is there.\n", "")
    assert json.loads(world.podjig("ps", "--format", "json").stdout) == {
        "engine": world.address,
        "resources": [],
        "troubles": [],
    }


def test_what_lives_whose_since_when_and_why(world: World) -> None:
    process, session = world.session(
        "sleeper().with_name('ps-one').start(); print('up', flush=True); sys.stdin.readline()",
        PYTEST_CURRENT_TEST="tests/test_x.py::test_y (setup)",
    )
    line_of(process)
    ghost = Ghost(world)
    ghost.make("volume", "ps-ended")
    ghost.make("volume", "ps-unknown", **{LEASES: "elsewhere"})
    ghost.make("volume", "ps-kept", **{"org.podjig.keep": "to look at"})

    by_name = {item["name"]: item for item in world.ps()}
    assert {name: item["standing"] for name, item in by_name.items()} == {
        "ps-one": "alive",
        "ps-ended": "ended",
        "ps-unknown": "unknown",
        "ps-kept": "kept",
    }
    one = by_name["ps-one"]
    assert one["session"] == session
    assert one["owner"] == {"pid": process.pid, "host": os.uname().nodename, "user": os.getuid()}
    assert one["requested_by"] == "tests/test_x.py::test_y (setup)"
    assert (one["kind"], one["status"], one["image"], one["removed_by"]) == (
        "container",
        "running",
        world.image,
        "nobody",
    )
    assert one["created"] < one["expires"]

    lines = world.podjig("ps").stdout.splitlines()
    assert lines[0].split() == ["NAME", "KIND", "STATE", "AGE", "OWNER", "STANDING", "WHY"]
    (line,) = [line for line in lines if line.startswith("ps-one ")]
    assert line.split()[1:3] == ["container", "running"]
    assert "for tests/test_x.py::test_y (setup)" in line
    assert "1 of 4 can go: podjig clean" in lines
    assert world.podjig("clean", "ps-unknown", "ps-kept", "ps-ended").returncode == 0
    process.communicate("\n", timeout=60)


def test_pods_are_trees(world: World) -> None:
    ghost = Ghost(world)
    pod = ghost.make("pod", "ps-pod")
    world.make("container", "ps-member", ghost.labels("container"), pod=pod, netns={})
    ghost.make("container", "ps-alone")
    names = [line.split("  ")[0] if line[0] != " " else "  " + line.split()[0] for line in table(world)]
    assert names == ["ps-pod", "  ps-member", "ps-alone"]
    assert "removed pod ps-pod with its members" in world.podjig("clean").stdout


def table(world: World) -> list[str]:
    return [line for line in world.podjig("ps").stdout.splitlines() if "ps-" in line]


def entry(**labels: str) -> Entry:
    item = Resource(kind="container", id="1", name="n" * 80, status="Running", labels=labels, image="i" * 80)
    return Entry(resource=item, verdict=Verdict(standing="alive", by="nobody", why="w" * 300))


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits(width: int) -> None:
    long = {REQUESTED_BY: "t" * 200, "org.podjig.owner.host": "h" * 60, "org.podjig.owner.pid": "4194304"}
    lines = list(render([entry(**long), entry()], [("/a/log", "x" * 300)], width=width))
    assert max(map(len, lines)) <= width


def test_labels_that_somebody_wrote_by_hand_do_no_harm() -> None:
    odd = entry(**{"org.podjig.owner.pid": "me", "org.podjig.owner.user": "", "org.podjig.created": "yesterday"})
    assert (odd.pid, odd.user, odd.created) == (0, None, None)
    assert not odd.older_than(0)
    assert list(render([odd], [], width=120))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (0.4, "0s"), (59, "59s"), (61, "1m1s"), (7300, "2h1m"), (90000, "1d1h"), (10**7, "115d17h")],
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_no_engine_is_said_as_everywhere(world: World) -> None:
    for command in ("ps", "clean"):
        done = world.podjig(command, CONTAINER_HOST="unix:///nowhere/podman.sock")
        assert done.returncode == 1
        assert "podjig: the engine at CONTAINER_HOST=unix:///nowhere/podman.sock cannot be used: absent" in done.stderr
        assert "podjig doctor" in done.stderr
    done = world.podjig("ps", PODJIG_ENGINE="docker")
    assert (done.returncode, done.stdout) == (1, "")
    assert "podjig doctor" in done.stderr


def test_wrong_usage(world: World) -> None:
    assert world.podjig("ps", "--format", "xml").returncode == 2


def test_the_heavy_client_stays_out(world: World) -> None:
    process = world.python("""
import sys
from podjig.cli import main
assert main(["ps"]) == main(["clean"]) == 0
print([name for name in ("podman", "requests", "urllib3", "docker") if name in sys.modules])
""")
    assert process.communicate(timeout=60)[0].splitlines()[-1] == "[]"


def test_help_names_the_exit_codes(world: World) -> None:
    for command in ("ps", "clean"):
        assert "exit codes: 0" in world.podjig(command, "--help").stdout


def test_time_goes_on(world: World) -> None:
    ghost = Ghost(world)
    ghost.make("volume", "ps-old", **{"org.podjig.created": "2026-01-01T00:00:00Z"})
    (line,) = table(world)
    days = int((time.time() - 1767225600) // 86400)
    assert f" {days}d" in line
    assert world.podjig("clean").returncode == 0
