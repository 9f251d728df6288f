"""What a clean database for each test costs: podjig's modes, rollback written by hand, and pytest-postgresql.

Each measurement is a real run of pytest, in a fresh interpreter, of generated tests: on a schema of ten tables each
test inserts a row, finds exactly that row, and commits; then its body goes on for 0, 20 or 50 ms. Nobody has plugins
but those that it needs. Overhead is what remains of a run without those statements and without the same run of tests
that use no database, so pytest's own time is nobody's. Contestants take turns, and who goes first changes each round.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import isolated_projects as projects
import stopwatch
from isolated_projects import BARE, LOADED, PROJECTS, REUSE
from isolation_report import BODIES, MANY, Report, Round, Run, Turn

from podjig.engine.discovery import current_engine
from podjig.image.store import resolve
from podjig.pytest_plugin.fixtures import POSTGRES_SETTINGS
from podjig.services.postgres import TEST_PROFILE

HERE = Path(__file__).parent
SETTINGS = {**TEST_PROFILE, **POSTGRES_SETTINGS}
"""What podjig_postgres_server has, and each server here but that of plain pytest-postgresql."""
PAIRS = 10
"""How often each round measures what the plugin costs a run that does not use it: little beside a run's own spread."""

ENTRY = (
    "import pytest, sys, time; began = time.perf_counter(); import podjig.pytest_plugin; "
    "print(time.perf_counter() - began)"
)


class Bench:
    """Runs projects in a scratch folder on tmpfs."""

    def __init__(self, scratch: Path, image: str, *, busy: bool) -> None:
        self._scratch = scratch
        self._reused: set[str] = set()
        self._places = {
            "image": image,
            "token": str(os.getpid()),
            "pg_ctl": str(pg_ctl()),
            "options": " ".join(f"-c {name}={value}" for name, value in SETTINGS.items()),
        }
        self._environ = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "PYTHONPYCACHEPREFIX": str(scratch / "bytecode"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PODJIG_ENGINE": current_engine().info.address,
            "PODJIG_IMAGE_MAP": f"{image}={resolve(image)}",
            stopwatch.SPIN: str(stopwatch.calibrate()) if busy else "",
        }

    def run(self, turn: Turn) -> Run:
        """Run a contestant's project once."""
        project = PROJECTS[turn.name]
        folder, seen = self._scratch / "project", self._scratch / "seen"
        projects.write(folder, project, tests=turn.tests, milliseconds=turn.body, **self._places)
        seen.mkdir(exist_ok=True)
        for file in seen.iterdir():
            file.unlink()
        words = [
            "-m",
            "pytest",
            "-q",
            f"--basetemp={self._scratch / 'tmp'}",
            "-p",
            "no:cacheprovider",
            "-p",
            "stopwatch",
        ]
        words += ["-p", project.plugin] if project.plugin else []
        words += ["-p", "xdist", "-n", str(turn.workers)] if turn.workers else []
        words += project.options
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env={**self._environ, stopwatch.FOLDER: str(seen)},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - began
        if done.returncode:
            sys.exit(f"{turn} could not be measured (exit status {done.returncode}):\n{done.stdout}\n{done.stderr}")
        run = self._read(seen, began, seconds)
        if turn.name == REUSE:
            self._reused.update(service["container"] for service in run.services)
        return run

    def close(self) -> None:
        """Remove the server that runs left for the next."""
        if self._reused:
            command = [sys.executable, "-m", "podjig.cli", "clean", *self._reused]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def import_entry(self) -> float:
        """Return the seconds of importing the plugin's entry module into a process that has imported pytest."""
        command = [sys.executable, "-c", ENTRY]
        return float(subprocess.run(command, env=self._environ, capture_output=True, text=True, check=True).stdout)

    @staticmethod
    def _read(folder: Path, began: float, seconds: float) -> Run:
        watches = stopwatch.read(folder)
        lists = [watch["tests"] for watch in watches if watch["tests"]]
        rest = [test for tests in lists for test in tests[1:-1]]
        spans = sum(tests[-2]["ended"] - tests[0]["ended"] for tests in lists if len(tests) > 2)
        first = min((tests[0] for tests in lists), key=lambda test: test["body"])
        # Side by side, workers' statements lengthen the run by those of the one that has most.
        statements = max((sum(test["statements"] for test in tests) for tests in lists), default=0.0)
        return Run(
            seconds=seconds - statements,
            start=first["body"] - began,
            loop=(spans - sum(test["statements"] for test in rest)) / max(len(rest), 1),
            waits=[test["fixtures"] for test in rest],
            states=stopwatch.states(watches),
            services=[each for watch in watches for each in watch["records"].get("services", [])],
        )


def main() -> None:
    arguments = read_arguments()
    wanted = arguments.only or [""]
    names = [name for name in PROJECTS if name != LOADED and (name == BARE or any(word in name for word in wanted))]
    folder = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  the peer's data, too, lie on tmpfs
    load = os.getloadavg()[0]
    print(heading(arguments, load), flush=True)
    rounds: list[Round] = []
    imports: list[float] = []
    plugins: list[float] = []
    with (
        tempfile.TemporaryDirectory(prefix="podjig-bench-", dir=folder) as scratch,
        closing(Bench(Path(scratch), arguments.postgres, busy=arguments.busy)) as bench,
    ):
        tell("warming up")
        for name in (*names, LOADED):
            bench.run(Turn(name, tests=2))
        turns = list(plan(names, arguments.tests))
        for number in range(1, arguments.rounds + 1):
            seen: Round = {}
            for turn in turns if number % 2 else list(reversed(turns)):
                tell(f"round {number} of {arguments.rounds}: {turn}")
                seen[turn] = bench.run(turn)
            imports += [bench.import_entry() for _ in range(PAIRS)]
            pairs = [(bench.run(Turn(LOADED)).seconds, bench.run(Turn(BARE)).seconds) for _ in range(PAIRS)]
            plugins += [loaded - bare for loaded, bare in pairs]
            rounds.append(seen)
    print("\n".join(Report(names, arguments.tests, rounds, imports, plugins).lines()))
    print(f"\nLoad before {load:.1f}, after {os.getloadavg()[0]:.1f}.")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--tests", type=int, default=1000, help="of the long runs; a fifth of it, of the others (1000)")
    parser.add_argument("--busy", action="store_true", help="bodies work instead of sleeping")
    parser.add_argument(
        "--only", nargs="+", metavar="WORD", help="only contestants whose names have one of these words"
    )
    parser.add_argument("--postgres", default="postgres:17", metavar="IMAGE", help="default: %(default)s")
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.tests < 10:
        parser.error("--rounds must be one or more, --tests ten or more")
    return arguments


def plan(names: Sequence[str], tests: int) -> Iterator[Turn]:
    """Yield what a round measures."""
    for body in BODIES:
        for name in names:
            if name != REUSE:
                yield Turn(name, body, tests // 5)
    if REUSE in names:
        yield Turn(REUSE, tests=2)
        yield Turn(BARE, tests=2)
    for workers in (1, 2):
        many = [(name, body) for name, body in MANY if name in names]
        for body in sorted({body for _, body in many}):
            yield Turn(BARE, body, tests, workers)
        for name, body in many:
            yield Turn(name, body, tests, workers)


def pg_ctl() -> Path:
    """Return the newest server that the distribution has, for pytest-postgresql."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda path: int(path.parts[-3]))
    if not found:
        sys.exit("pytest-postgresql needs a PostgreSQL of this machine: apt-get install postgresql")
    return found[-1]


def heading(arguments: argparse.Namespace, load: float) -> str:
    """Say what each was given."""
    settings = " ".join(f"{name}={value}" for name, value in SETTINGS.items())
    server = subprocess.run([pg_ctl(), "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    libraries = ", ".join(f"{name} {version(name)}" for name in ("pytest", "psycopg", "SQLAlchemy"))
    bodies = "work" if arguments.busy else "sleep"
    image, podman = resolve(arguments.postgres), current_engine().info.version
    return f"""\
podjig beside pytest-postgresql {version("pytest-postgresql")}; {libraries}.
podjig, and rollback by hand: {image} on rootless Podman {podman}, data on tmpfs.
pytest-postgresql: its own server process, PostgreSQL {server} of this machine, data on tmpfs, by TCP.
podjig's settings: {settings}.
Python {platform.python_version()}, {os.cpu_count()} processors, load {load:.1f}. Bodies {bodies}.
Medians of {arguments.rounds} alternating rounds, quartiles in parentheses; a ratio is that of two runs of one round."""


def tell(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
