"""Pods that are kept on purpose: as one, for a while, until somebody removes them by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pod.conftest import MakePod, box
from podjig import Pod
from podjig.cleanup.session import session_of
from podjig.engine.protocol import Engine
from podjig.errors import ResourceNotFound
from podjig.pod.keeping import let_go

OWNER = """
import sys
from pod.conftest import box, engine_without_pods
from podjig import Pod
from podjig.engine.discovery import current_engine

engine = current_engine() if sys.argv[1] == "native" else engine_without_pods()
pod = Pod(box(), box(), name=sys.argv[2], engine=engine).add_init(box("true")).start()
pod.keep(600, "to look at it")
print(pod.id, *(member.id for member in pod.members), flush=True)
"""


def run(*words: str) -> str:
    """Run a command of Python's in the tests' environment, and return what it wrote."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    environ = {**os.environ, "PYTHONPATH": path, "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=120, env=environ, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def podjig(*words: str) -> str:
    return run("-m", "podjig.cli", *words)


def there(engine: Engine, ids: list[str]) -> list[str]:
    found = []
    for each in ids:
        try:
            found.append(engine.inspect_container(each).id)
        except ResourceNotFound:
            continue
    return found


def test_a_kept_pod_outlives_its_owner(place: str, where: Engine, unique: str) -> None:
    pod, *members = run("-c", OWNER, place, unique).split()
    assert there(where, members) == members
    assert all(where.inspect_container(member).state.running for member in members)
    listed = json.loads(podjig("ps", "--format", "json"))["resources"]
    mine = [item for item in listed if pod in (item["id"], item["pod"])]
    assert len(mine) == 4  # with the init container
    assert {item["standing"] for item in mine} == {"kept"}
    assert all("to look at it" in item["why"] for item in mine)
    assert {item["pod"] for item in mine if item["id"] in members} == {pod}
    images = [item["name"] for item in listed if item["session"] == mine[0]["session"] and item["kind"] == "image"]
    assert unique in podjig("clean", unique, *images)
    assert there(where, [pod, *members]) == []
    assert unique not in podjig("ps", "--format", "json")


def kept_after_its_block(pod: Pod, where: Engine) -> None:
    members, place = [member.id for member in pod.members], pod._place
    assert place is not None
    pod.__exit__(None, None, None)
    assert not pod.started
    assert not any(member.started for member in pod.members)
    assert there(where, members) == members
    place.remove(members)
    assert there(where, members) == []
    session = session_of(where)
    assert session is not None
    let_go(session, place)


def test_a_member_that_is_to_be_kept_keeps_its_pod(make_pod: MakePod, where: Engine, unique: str) -> None:
    pod = make_pod(box().with_keep(600, "its definition says so"), box("sleep 601", "other"), name=unique).start()
    pod.add(box("sleep 602", "late"))
    kept_after_its_block(pod, where)


def test_a_running_member_that_is_kept_keeps_its_pod(make_pod: MakePod, where: Engine) -> None:
    pod = make_pod(box(), box("sleep 601", "other")).start()
    pod.members[0].keep(600)
    kept_after_its_block(pod, where)


def test_stopped_by_hand_it_is_not_kept(make_pod: MakePod, where: Engine) -> None:
    pod = make_pod(box()).start()
    pod.keep(600)
    member = pod.members[0].id
    pod.stop()
    assert there(where, [member]) == []


def test_a_start_that_fails_keeps_nothing(make_pod: MakePod, where: Engine) -> None:
    broken = box("exit 3").waiting_for(lambda container: container.status != "running" and 1 / 0)
    with pytest.raises(Exception, match="exited|division"):
        make_pod(box().with_keep(), broken).start()
