"""Things made in another process's session: they outlive their maker, and end with that session."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from cleanup.world import World, line_of, within

OWNER = """
import json
from dataclasses import asdict
print(json.dumps(asdict(session.lend())), flush=True)
sys.stdin.readline()
"""

MEMBER = """
import json, os, signal, sys
from podjig import GenericContainer, Network
from podjig.cleanup.membership import Membership, join
membership = Membership(**json.loads(sys.argv[1]))
asked = []
def ask():
    asked.append(1)
    return membership
with join(ask):
    box = GenericContainer("busybox", command="sleep 600").with_volume_mapping("shared-data", "/data", "rw")
    box.start()
    network = Network().create()
own = GenericContainer("busybox", command="sleep 600").start()
assert asked
"""


def made_by_a_member(
    world: World, more: str = "os.kill(os.getpid(), signal.SIGKILL)"
) -> tuple[subprocess.Popen[str], str]:
    """Have things made in an owner's session by a process that has died since; return the owner and its session."""
    owner, session = world.session(OWNER)
    member = world.python(MEMBER + more, line_of(owner))
    _, err = member.communicate(timeout=60)
    assert member.returncode in (0, -signal.SIGKILL), err
    return owner, session


def kinds(world: World, session: str) -> list[str]:
    return [each.split()[0] for each in world.of(session)]


@pytest.mark.parametrize("end", ["in good order", "SIGKILL", "without its service"])
def test_they_outlive_their_maker_and_go_with_the_session(world: World, end: str) -> None:
    owner, session = made_by_a_member(world)
    assert kinds(world, session) == ["container", "network", "volume"]
    assert within(10, lambda: len([key for key in world.left() if key[0] == "container"]) == 1), (
        "what the member made in its own session is still there"
    )
    if end == "SIGKILL":
        owner.kill()
    elif end == "without its service":
        world.kill_service()
    _, err = owner.communicate("go on\n", timeout=60)
    assert "could not clean up" not in err
    assert world.gone_in_time(session)
    assert within(10, lambda: not world.helpers(session))


def test_the_end_of_the_maker_leaves_them(world: World) -> None:
    owner, session = made_by_a_member(world, more="")
    assert kinds(world, session) == ["container", "network", "volume"]
    owner.communicate("go on\n", timeout=60)
    assert world.of(session) == []


def test_the_maker_may_remove_them_itself(world: World) -> None:
    owner, session = made_by_a_member(world, more="box.stop(); network.remove()")
    assert kinds(world, session) == ["volume"]
    owner.communicate("go on\n", timeout=60)
    assert world.of(session) == []


def test_what_the_maker_keeps_is_kept_with_what_it_uses(world: World) -> None:
    owner, session = made_by_a_member(world, more="box.keep(3600, why='to look at it')")
    owner.communicate("go on\n", timeout=60)
    assert within(5, lambda: kinds(world, session) == ["container", "volume"])
    assert {entry["why"].partition(": ")[2] for entry in world.ps()} == {"to look at it"}
    assert world.podjig("clean", "--all").returncode == 0
    assert world.of(session) == []


def test_another_engine_is_refused(world: World) -> None:
    code = """
from podjig import GenericContainer
from podjig.cleanup.membership import Membership, join
from podjig.errors import EngineUnavailable
try:
    with join(lambda: Membership(session="0" * 12, address="unix:///elsewhere", labels={})):
        GenericContainer("busybox").start()
except EngineUnavailable as error:
    print(error)
"""
    process = world.python(code)
    out, err = process.communicate(timeout=60)
    assert "in a session with unix:///elsewhere" in out, err
    assert os.linesep + "  hint: give both processes the same engine" in out
