"""podjig beside testcontainers-python: import, first engine answer, PostgreSQL and Redis from start to stop.

Both get the same images and the same rootless Podman: podjig's private service, whose socket the peer is given as
DOCKER_HOST. Each measurement has a fresh interpreter; the two take turns, and who goes first changes each round.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from contestants import PEER, PEER_PROFILE, PODJIG, PODJIG_DURABLE, PROFILE_INITDB, PROFILE_TMPFS
from report import as_json, rows, table

from podjig.engine.service import PrivateService
from podjig.image.store import resolve
from podjig.services import postgres, redis

HERE = Path(__file__).parent
TURNS = [
    (PODJIG, "postgres"),
    (PEER, "postgres"),
    (PODJIG, "redis"),
    (PEER, "redis"),
    (PODJIG_DURABLE, "postgres"),
    (PEER_PROFILE, "postgres"),
]


def main() -> None:
    arguments = read_arguments()
    service = PrivateService()
    pong = service.ensure()
    images = {"postgres": resolve(arguments.postgres), "redis": resolve(arguments.redis)}
    conditions = {
        "podjig": version("podjig"),
        "testcontainers": version("testcontainers"),
        "docker-py": version("docker"),
        "podman": pong.version,
        "images": images,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load before": round(os.getloadavg()[0], 2),
        "rounds": arguments.rounds,
        "podjig's PostgreSQL profile": {"data on": "tmpfs", "initdb": "--no-sync", **postgres.TEST_PROFILE},
        "podjig's Redis profile": {"data on": "tmpfs", **redis.TEST_PROFILE},
        "the peer's profile by hand": {"tmpfs": PROFILE_TMPFS, "initdb": PROFILE_INITDB, **postgres.TEST_PROFILE},
    }
    samples: dict[tuple[str, str], list[dict[str, float]]] = {turn: [] for turn in TURNS}
    with tempfile.TemporaryDirectory(prefix="podjig-bench-") as scratch:
        environ = environment(service.address, scratch)
        # The first round warms the byte code, the page cache and the engine's own caches; it is not counted.
        for number in range(arguments.rounds + 1):
            tell(f"round {number} of {arguments.rounds}" if number else "warming up")
            for turn in TURNS if number % 2 else reversed(TURNS):
                seconds = run(*turn, images[turn[1]], environ)
                if number:
                    samples[turn].append(seconds)
    lines = rows(samples)
    if arguments.format == "json":
        print(json.dumps(as_json(lines, samples, conditions), indent=2))
    else:
        print(heading(conditions))
        print(table(lines))


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--format", choices=("table", "json"), default="table")
    parser.add_argument("--postgres", default="postgres:17", metavar="IMAGE", help="default: %(default)s")
    parser.add_argument("--redis", default="redis:8", metavar="IMAGE", help="default: %(default)s")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be one or more")
    return arguments


def environment(address: str, scratch: str) -> dict[str, str]:
    """Return what every measured interpreter gets: one engine for both, and byte code for both."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {
        **environ,
        "PYTHONPYCACHEPREFIX": scratch,
        "PODJIG_ENGINE": "private",
        "DOCKER_HOST": address,
        "TESTCONTAINERS_RYUK_DISABLED": "true",
        "TESTCONTAINERS_CONNECTION_MODE": "docker_host",  # it would take some virtual machines for a container
        "TESTCONTAINERS_HOST_OVERRIDE": "localhost",
    }


def run(contestant: str, service: str, image: str, environ: Mapping[str, str]) -> dict[str, float]:
    """Measure once, in a fresh interpreter."""
    command = [sys.executable, str(HERE / "contestants.py"), contestant, service, image]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{contestant} could not be measured with {service} ({image}):\n{done.stderr}")
    seconds: dict[str, float] = json.loads(done.stdout)
    return seconds


def heading(conditions: Mapping[str, Any]) -> str:
    """Say what each was given."""
    profile = " ".join(f"{name}={value}" for name, value in postgres.TEST_PROFILE.items())
    versions = "testcontainers {testcontainers} (docker-py {docker-py})".format_map(conditions)
    return f"""\
podjig {conditions["podjig"]} beside {versions}
Engine of both: rootless Podman {conditions["podman"]}, podjig's private service, which runs already.
Images of both: {", ".join(conditions["images"].values())}.
Python {conditions["python"]}, {conditions["processors"]} processors, load {conditions["load before"]}.
podjig: its defaults. PostgreSQL: data on tmpfs, initdb without sync,
        {profile};
        Redis: data on tmpfs, no snapshots.
Peer:   its defaults (data on a volume, the image's own settings), without its cleanup container (Ryuk).
Last two lines: podjig without its test profile, and the peer given it by hand (tmpfs, initdb without sync, settings).
Medians of {conditions["rounds"]} alternating rounds, quartiles in parentheses; a ratio is that of the two of one round.
"""


def tell(line: str) -> None:
    print(f"bench: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
