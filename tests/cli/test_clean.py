from __future__ import annotations

import argparse

import pytest

from cleanup.ghost import Ghost
from cleanup.world import World, line_of
from podjig.cleanup.labels import CREATED, LEASES, OWNER_BOOT, OWNER_USER
from podjig.cli.clean import duration


@pytest.fixture
def ghost(world: World) -> Ghost:
    return Ghost(world)


def names(world: World) -> set[str]:
    return {item["name"] for item in world.ps()}


def test_it_says_what_it_removes_and_why_it_leaves_the_rest(world: World, ghost: Ghost) -> None:
    process, _ = world.session("sleeper().with_name('c-alive').start(); print('up', flush=True); sys.stdin.readline()")
    line_of(process)
    ghost.make("container", "c-ended")
    ghost.make("volume", "c-kept", **{"org.podjig.keep": "to look at"})
    ghost.make("volume", "c-unknown", **{LEASES: "elsewhere"})

    dry = world.podjig("clean", "--dry-run")
    assert "would remove container c-ended: its session has ended" in dry.stdout
    assert "would remove 1, left 3" in dry.stdout
    assert len(names(world)) == 4

    done = world.podjig("clean")
    assert (done.returncode, done.stderr) == (0, "")
    assert "removed container c-ended: its session has ended" in done.stdout
    assert f"left container c-alive: its session runs (process {process.pid} on " in done.stdout
    assert "left volume c-kept: kept until " in done.stdout
    assert "left volume c-unknown: its session's lease cannot be seen from here; it expires at " in done.stdout
    assert "removed 1, left 3" in done.stdout
    assert names(world) == {"c-alive", "c-kept", "c-unknown"}

    everything = world.podjig("clean", "--all")
    assert "removed volume c-kept" in everything.stdout
    assert names(world) == {"c-alive", "c-unknown"}

    refused = world.podjig("clean", "c-alive")
    assert refused.returncode == 1
    assert "cannot remove container c-alive: its session runs (process" in refused.stderr
    assert world.podjig("clean", "c-unknown").returncode == 0
    process.communicate("\n", timeout=60)
    assert names(world) == set()


def test_nothing_to_do_is_success(world: World) -> None:
    done = world.podjig("clean")
    assert (done.returncode, done.stdout) == (0, "removed 0, left 0\n")


def test_only_what_is_named(world: World, ghost: Ghost) -> None:
    first = ghost.make("container", "c-first")
    ghost.make("container", "c-second")
    ghost.make("volume", "c-second")
    assert world.podjig("clean", first[:12]).returncode == 0
    assert names(world) == {"c-second"}
    both = world.podjig("clean", "c-second")
    assert both.returncode == 1
    assert "that may be each of container/c-second, volume/c-second" in both.stderr
    assert world.podjig("clean", "volume/c-second").returncode == 0
    assert [item["kind"] for item in world.ps()] == ["container"]
    assert world.podjig("clean", "container/c-second").returncode == 0


def test_unknown_names_and_what_is_not_ours(world: World, ghost: Ghost) -> None:
    ghost.make("volume", "c-mine")
    stranger = world.make("container", "c-stranger", {})
    done = world.podjig("clean", "c-nothing", "c-stranger", world.image, "c-mine")
    assert done.returncode == 1
    assert "cannot remove c-nothing: there is nothing of that name; 'podjig ps' lists what there is" in done.stderr
    assert "cannot remove container c-stranger: podjig did not make it" in done.stderr
    assert f"cannot remove image {world.image}: podjig did not make it" in done.stderr
    assert "removed volume c-mine" in done.stdout
    there = {item.name for item in world.everything()}
    assert {"c-stranger", world.image} <= there
    world.call("DELETE", f"containers/{stranger}?force=true")


def test_older_than(world: World, ghost: Ghost) -> None:
    ghost.make("volume", "c-old", **{CREATED: "2020-01-01T00:00:00Z"})
    ghost.make("volume", "c-young")
    done = world.podjig("clean", "--older-than", "2h")
    assert "removed volume c-old" in done.stdout
    assert "left volume c-young: it is younger than that" in done.stdout
    assert world.podjig("clean", "c-young", "--older-than", "2h").returncode == 1
    assert names(world) == {"c-young"}
    assert world.podjig("clean").returncode == 0


def test_all_takes_what_was_before_a_reboot_and_is_ours(world: World, ghost: Ghost) -> None:
    before = {LEASES: "gone with the boot", OWNER_BOOT: "the boot before"}
    ghost.make("volume", "c-before", **before)
    ghost.make("volume", "c-others", **before, **{OWNER_USER: "54321"})
    assert "left volume c-before: this machine was restarted since" in world.podjig("clean").stdout
    done = world.podjig("clean", "--all")
    assert "removed volume c-before" in done.stdout
    assert "left volume c-others: it is user 54321's" in done.stdout
    assert world.podjig("clean", "c-others").returncode == 0


@pytest.mark.parametrize("wrong", ["", "2", "2 hours", "-2h", "h", "2w", "1h30m"])
def test_malformed_ages(wrong: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"write a number and s, m, h or d"):
        duration(wrong)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5m", 90), ("2h", 7200), ("7d", 604800), ("0s", 0)])
def test_ages(text: str, seconds: float) -> None:
    assert duration(text) == seconds


def test_wrong_usage(world: World) -> None:
    for arguments in (["--older-than", "soon"], ["--all", "c-one"]):
        done = world.podjig("clean", *arguments)
        assert done.returncode == 2, arguments
        assert "usage: podjig clean" in done.stderr
