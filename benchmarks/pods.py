"""PostgreSQL, Redis and a small web server: in a pod, one after another, and as testcontainers has them, in a network.

All get the same images and the same rootless Podman: podjig's private service, whose socket the peer is given as
DOCKER_HOST. Contestants take turns, and each round begins with another one; a ratio is that of two of one round.
Imports are not counted. Beside them, what a pod, a network and no network cost a container that does nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from contestants import peer_container
from report import Spread
from startup import environment

from podjig import GenericContainer, HttpWaitStrategy, Network, Pod, PostgresContainer, RedisContainer
from podjig.engine.discovery import current_engine
from podjig.engine.protocol import Engine
from podjig.image.store import resolve

POD = "podjig, in a pod"
ALONE = "podjig, PostgreSQL alone"
SEQUENCE = "podjig, one after another"
PEER = "testcontainers, in a network"
PEER_PROFILE = "testcontainers, in a network, PostgreSQL with podjig's profile"
BOX_POD, BOX_NETWORK, BOX_NONE = "nothing, in a pod", "nothing, in a network", "nothing, no network"

SERVE = ["sh", "-c", "mkdir /w; echo hello > /w/index.html; exec httpd -f -p 8000 -h /w"]
"""What the small server runs."""

Contestant = Callable[[], AbstractContextManager[Any]]


def web() -> GenericContainer:
    return GenericContainer("busybox", command=SERVE).with_exposed_ports(8000).waiting_for(HttpWaitStrategy(8000))


def pod() -> AbstractContextManager[Any]:
    return Pod(PostgresContainer("postgres:17"), RedisContainer("redis:8"), web())


@contextmanager
def one_after_another() -> Iterator[None]:
    with PostgresContainer("postgres:17"), RedisContainer("redis:8"), web():
        yield


@contextmanager
def peer(*, profile: bool) -> Iterator[None]:
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.network import Network as PeerNetwork
    from testcontainers.core.wait_strategies import HttpWaitStrategy as PeerHttp

    with ExitStack() as stack:
        network = stack.enter_context(PeerNetwork())
        for container in (
            peer_container("postgres", resolve("postgres:17"), profile=profile),
            peer_container("redis", resolve("redis:8"), profile=False),
            DockerContainer(resolve("busybox"), command=SERVE).with_exposed_ports(8000).waiting_for(PeerHttp(8000)),
        ):
            stack.enter_context(container.with_network(network))
        yield


def box() -> GenericContainer:
    return GenericContainer("busybox", command="sleep 600")


@contextmanager
def box_in_network() -> Iterator[None]:
    with Network() as network, box().with_network(network):
        yield


CONTESTANTS: Mapping[str, Contestant] = {
    POD: pod,
    ALONE: lambda: PostgresContainer("postgres:17"),
    SEQUENCE: one_after_another,
    PEER: lambda: peer(profile=False),
    PEER_PROFILE: lambda: peer(profile=True),
    BOX_POD: lambda: Pod(box()),
    BOX_NETWORK: box_in_network,
    BOX_NONE: lambda: box().with_network_mode("none"),
}

BOXES = (BOX_POD, BOX_NETWORK, BOX_NONE)

RATIOS = (
    ("up: three in a pod / the slowest of them alone", POD, ALONE, "up", 1.15),
    ("up: three in a pod / one after another", POD, SEQUENCE, "up", None),
    ("up: three in a pod / the peer", POD, PEER, "up", None),
    ("up: three in a pod / the peer with podjig's PostgreSQL profile", POD, PEER_PROFILE, "up", None),
    ("remove: three in a pod / one after another", POD, SEQUENCE, "remove", None),
    ("remove: three in a pod / the peer", POD, PEER, "remove", None),
    ("create: nothing, in a pod / in a network", BOX_POD, BOX_NETWORK, "create", None),
    ("start: nothing, in a pod / in a network", BOX_POD, BOX_NETWORK, "start", None),
    ("remove: nothing, in a pod / in a network", BOX_POD, BOX_NETWORK, "remove", None),
    ("up: nothing, in a pod / no network", BOX_POD, BOX_NONE, "up", None),
    ("up: nothing, in a network / no network", BOX_NETWORK, BOX_NONE, "up", None),
)

MEANINGS = """
Medians, with quartiles in parentheses.
up      from nothing until each server has answered its own protocol (one that does nothing: until it runs)
create  of that, what the engine takes to make records of pod, network and container
start   the rest of it: namespaces and programs come into being
remove  from the end of the block until all is gone"""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """Seconds of one contestant in one round; `create` is known for podjig only."""

    create: float
    up: float
    remove: float

    @property
    def start(self) -> float:
        return self.up - self.create


Samples = Mapping[str, Sequence[Taken]]


class Stopwatch:
    """Adds up how long the engine's verbs that make something take, from its construction on."""

    VERBS = ("create_container", "create_pod", "create_network")

    def __init__(self, engine: Engine) -> None:
        self.seconds = 0.0
        for verb in self.VERBS:
            setattr(engine, verb, self._timed(getattr(engine, verb)))

    def _timed(self, verb: Callable[..., str]) -> Callable[..., str]:
        def timed(*arguments: Any) -> str:
            begun = time.perf_counter()
            try:
                return verb(*arguments)
            finally:
                self.seconds += time.perf_counter() - begun

        return timed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be one or more")
    os.environ.update(environment(current_engine().info.address, os.devnull))  # before the peer is imported
    current_engine().ping()
    creating = Stopwatch(current_engine())
    load = os.getloadavg()[0]
    samples: dict[str, list[Taken]] = {name: [] for name in CONTESTANTS}
    names = list(CONTESTANTS)
    for number in range(arguments.rounds + 1):  # the first round warms the engine's caches and is not counted
        print(f"bench: round {number} of {arguments.rounds}", file=sys.stderr, flush=True)
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken = measure(CONTESTANTS[name], creating)
            if number:
                samples[name].append(taken)
    print(f"testcontainers {version('testcontainers')}, Podman {current_engine().info.version}, "
          f"{os.cpu_count()} processors, load before {load:.1f}, {arguments.rounds} rounds")  # fmt: skip
    print("\n".join([MEANINGS, *services(samples), *boxes(samples), *ratios(samples)]))


def measure(contestant: Contestant, creating: Stopwatch) -> Taken:
    """Return the seconds that one takes."""
    creating.seconds = 0.0
    begun = time.perf_counter()
    with contestant():
        started = time.perf_counter()
    return Taken(create=creating.seconds, up=started - begun, remove=time.perf_counter() - started)


def services(samples: Samples) -> Iterator[str]:
    """Yield a line for each contestant that runs servers."""
    yield f"\n{'servers: PostgreSQL, Redis and a small web server, or as it says':66}{'up, ms':>20}{'remove, ms':>20}"
    for name, taken in samples.items():
        if name not in BOXES:
            yield f"{name:66}{_spread(taken, 'up')}{_spread(taken, 'remove')}"


def boxes(samples: Samples) -> Iterator[str]:
    """Yield a line for each place of a container that does nothing."""
    yield f"\n{'one container that does nothing':46}{'create, ms':>20}{'start, ms':>20}{'remove, ms':>20}"
    for name in BOXES:
        yield f"{name:46}{''.join(_spread(samples[name], step) for step in ('create', 'start', 'remove'))}"


def ratios(samples: Samples) -> Iterator[str]:
    """Yield a line for each ratio, each of two in one round, and one for each goal that is missed."""
    yield "\nratios"
    missed = []
    for name, ours, other, step, goal in RATIOS:
        pairs = zip(samples[ours], samples[other], strict=True)
        spread = Spread.of([getattr(mine, step) / getattr(theirs, step) for mine, theirs in pairs])
        judged = "" if goal is None else f"  goal <= {goal:.2f}: {'met' if spread.median <= goal else 'MISSED'}"
        if judged.endswith("MISSED"):
            missed.append(f"MISSED: {name} is {spread.median:.2f}, not <= {goal:.2f}")
        yield f"{name:66}{spread.show(1, '.2f'):>20}{judged}"
    yield from missed


def _spread(taken: Sequence[Taken], step: str) -> str:
    return f"{Spread.of([getattr(one, step) for one in taken]).show(1000, '.0f'):>20}"


if __name__ == "__main__":
    main()
