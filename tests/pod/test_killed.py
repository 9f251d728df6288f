"""The owner dies with a pod half started: nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.session import session_of
from podjig.engine.protocol import Engine

PROMISE = 5.0
"""Seconds after an owner's death in which nothing of it may be left."""

OWNER = """
import sys
from pod.conftest import box, engine_without_pods
from podjig import LogMessageWaitStrategy, Pod, RedisContainer
from podjig.cleanup.session import session_of
from podjig.engine.discovery import current_engine

engine = current_engine() if sys.argv[1] == "native" else engine_without_pods()
print(session_of(engine).id, flush=True)
never = box().waiting_for(LogMessageWaitStrategy("never said"))
Pod(RedisContainer("redis:7.4"), never, box(), engine=engine).start()
"""


@pytest.mark.parametrize(
    "members",
    [pytest.param(0, id="at once"), pytest.param(2, id="with members", marks=pytest.mark.also_rootful)],
)
def test_a_killed_owner_leaves_nothing(where: Engine, place: str, members: int) -> None:
    assert session_of(where) is not None  # the service has been started, by us
    tests = str(Path(__file__).parents[1])
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([tests, *filter(None, sys.path)])}
    owner = subprocess.Popen([sys.executable, "-c", OWNER, place], stdout=subprocess.PIPE, text=True, env=environ)
    assert owner.stdout is not None
    session = owner.stdout.readline().strip()
    client = LibpodClient(where.info.address)

    def made() -> list[str]:
        return [item.kind for item in client.resources(session=session) if item.kind != "image"]

    while len(made()) < members + 1:
        time.sleep(0.02)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    died = time.monotonic()
    while made():
        assert time.monotonic() - died < PROMISE, f"left: {made()}"
        time.sleep(0.05)
    print(f"gone {time.monotonic() - died:.2f} s after")
