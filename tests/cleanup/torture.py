"""Kill sessions in every way at random moments, and count what they leave and whom that hurts.

    python -m cleanup.torture [N] [--seed SEED] [--only WORDS]

N kills by SIGKILL of each kind of session, and a quarter as many in each other way; of these, only those with WORDS in
their name.

A stranger's living session and a stranger's container without our labels run beside it all the time. Exit code 1 if
anything is left five seconds after a death, or a stranger was touched.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from cleanup.world import PROMISE, Key, World, line_of, within

_HERE = Path(__file__).parent
_FULL = 2.5
"""Seconds after which the victim has all it makes; kills come before and after."""

_STRANGER = """
import sys, time
from podjig import GenericContainer
from podjig.image.store import resolve
image = resolve("busybox")
container = GenericContainer(image, command="sleep 86400").with_volume_mapping("stranger-data", "/data", "rw").start()
print(container.id, flush=True)
sys.stdin.readline()
container.stop()
"""


class Strangers:
    """A session that lives, and a container that is nobody's; a context manager."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._unlabelled = unlabelled = world.make("container", "stranger", {}, command=["sleep", "86400"])
        world.start(unlabelled)
        self._process = world.python(_STRANGER)
        self._containers = {unlabelled: "", line_of(self._process): ""}
        self._containers = {made: self._since(made) for made in self._containers}
        self.keys: set[Key] = {("container", made) for made in self._containers} | {("volume", "stranger-data")}

    def touched(self) -> int:
        """How many of their things are gone or were started again."""
        there = self._world.keys()
        changed = sum(self._since(made) != since for made, since in self._containers.items())
        return changed + (("volume", "stranger-data") not in there)

    def __enter__(self) -> Strangers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate("\n", timeout=30)
        self._world.call("DELETE", f"containers/{self._unlabelled}?force=true&timeout=0")

    def _since(self, id: str) -> str:
        status, answer = self._world.call("GET", f"containers/{id}/json")
        return f"{answer['State']['Status']} since {answer['State']['StartedAt']}" if status == 200 else "gone"


Way = Callable[[World, float], None]


def _victim(world: World, what: str = "") -> subprocess.Popen[str]:
    return world.run(sys.executable, str(_HERE / "victim.py"), what)


def _by_signals(*signals: signal.Signals, what: str = "") -> Way:
    def end(world: World, moment: float) -> None:
        process = _victim(world, what)
        line_of(process)
        time.sleep(moment)
        assert process.poll() is None, f"the victim ended by itself: {process.communicate()[1]}"
        for number in signals:
            process.send_signal(number)
            time.sleep(0.15)
        process.communicate(timeout=60)

    return end


def _by_itself(ending: str) -> Way:
    def end(world: World, moment: float) -> None:
        _victim(world, ending).communicate(timeout=60)

    return end


def _under_pytest(test: str, *options: str, kill: str = "") -> Way:
    def end(world: World, moment: float) -> None:
        folder = world.fresh.root / f"suite-{os.urandom(3).hex()}"
        folder.mkdir()
        (folder / "test_victim.py").write_text(_TESTS)
        selected = ["-k", test, "-p", "no:cacheprovider", *options]
        process = world.run(sys.executable, "-m", "pytest", "-q", *selected, str(folder))
        if kill:
            _kill_when_running(process, folder, kill, moment)
        process.communicate(timeout=90)
        within(30, lambda: not any(_lives(int(pid.name)) for pid in (folder / "pids").glob("*")))

    return end


def _kill_when_running(process: subprocess.Popen[str], folder: Path, kill: str, moment: float) -> None:
    pids = folder / "pids"
    assert within(30, lambda: len(list(pids.glob("*"))) >= 2), "the workers did not start"
    time.sleep(moment)
    victim = process.pid if kill == "controller" else int(next(iter(sorted(pids.glob("*")))).name)
    os.kill(victim, signal.SIGKILL)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


_TESTS = """
import os, pathlib, sys, time
import pytest
from podjig import GenericContainer
from podjig.image.store import resolve

pids = pathlib.Path(__file__).parent / "pids"


@pytest.fixture(scope="session")
def forgotten():
    yield GenericContainer(resolve("busybox"), command="sleep 600").start()


@pytest.fixture
def broken(forgotten):
    with GenericContainer(resolve("busybox"), command="sleep 600"):
        raise RuntimeError("as told")


def test_broken_fixture(broken): ...
def test_stop_first_fails(forgotten): assert False
def test_stop_second(forgotten): ...
def test_hangs(forgotten):
    with GenericContainer(resolve("busybox"), command="sleep 600"):
        time.sleep(60)


@pytest.mark.parametrize("n", range(2))
def test_worker(forgotten, n):
    pids.mkdir(exist_ok=True)
    (pids / str(os.getpid())).touch()
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        with GenericContainer(resolve("busybox"), command="sleep 600"):
            time.sleep(0.05)
"""

WAYS: dict[str, Way] = {
    "SIGKILL": _by_signals(signal.SIGKILL),
    "SIGKILL, pods": _by_signals(signal.SIGKILL, what="pods"),
    "SIGKILL, networks": _by_signals(signal.SIGKILL, what="networks"),
    "SIGTERM": _by_signals(signal.SIGTERM),
    "SIGINT twice": _by_signals(signal.SIGINT, signal.SIGINT),
    "os._exit": _by_itself("exit"),
    "exception": _by_itself("raise"),
    "exception in a fixture": _under_pytest("broken_fixture"),
    "pytest -x": _under_pytest("stop", "-x"),
    "pytest-timeout, thread": _under_pytest("hangs", "--timeout=1", "--timeout-method=thread"),
    "pytest-timeout, signal": _under_pytest("hangs", "--timeout=1", "--timeout-method=signal"),
    "xdist worker killed": _under_pytest("worker", "-n2", kill="worker"),
    "xdist controller killed": _under_pytest("worker", "-n2", kill="controller"),
}


@dataclass
class Tally:
    """What came of it."""

    kills: int = 0
    leaks: list[str] = field(default_factory=list)
    touched: int = 0
    slowest: float = 0.0

    def __str__(self) -> str:
        return f"kills {self.kills}, leaks after {PROMISE:g} s {len(self.leaks)}, strangers touched {self.touched}"


def torture(world: World, rounds: dict[str, int], *, chance: random.Random, say: Callable[[str], None]) -> Tally:
    """Kill, and count."""
    tally = Tally()
    with Strangers(world) as strangers:
        for name, count in rounds.items():
            for _ in range(count):
                moment = chance.uniform(0, _FULL)
                WAYS[name](world, moment)
                dead = time.monotonic()
                clean = within(PROMISE, lambda: not world.left() - strangers.keys)
                took = time.monotonic() - dead
                tally.kills += 1
                tally.slowest = max(tally.slowest, took)
                left = set() if clean else world.left() - strangers.keys
                tally.leaks += [f"{kind} {which}" for kind, which in left]
                touched = strangers.touched()
                tally.touched += touched
                outcome = f"  LEAK {left}" * bool(left) + "  TOUCHED" * touched
                say(f"{name:24} at {moment:4.2f} s  clean after {took:4.2f} s{outcome}")
                if left:
                    later = within(60, lambda: not world.left() - strangers.keys)
                    say(f"  {'gone' if later else 'still there'} after {time.monotonic() - dead:.1f} s; {_logs(world)}")
    return tally


def _logs(world: World) -> str:
    return "".join(log.read_text() for log in world.folders.logs.glob("*.log")) or "no logs"


def main() -> int:
    """Run the driver."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=20, metavar="N")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", default="", metavar="WORDS")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    other = max(1, arguments.rounds // 4)
    ways = [name for name in WAYS if arguments.only in name]
    if not ways:
        parser.error(f"--only {arguments.only!r} is in none of: {'; '.join(WAYS)}")
    rounds = {name: arguments.rounds if name.startswith("SIGKILL") else other for name in ways}
    with World() as world:
        tally = torture(world, rounds, chance=random.Random(arguments.seed), say=lambda line: print(line, flush=True))
    print("\n".join(tally.leaks) or "nothing was left")
    print(f"{tally}; slowest {tally.slowest:.2f} s")
    return 1 if tally.leaks or tally.touched else 0


if __name__ == "__main__":
    sys.exit(main())
