"""PostgreSQL, Redis and a small web server: in a pod, one after another, and as testcontainers has them, in a network.

All get the same images and the same rootless Podman: podjig's private service, whose socket the peer is given as
DOCKER_HOST. Started means that each has answered its own protocol. Contestants take turns, and each round begins
with another one; a ratio is that of two of one round. Imports are not counted.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.metadata import version
from typing import Any

from contestants import peer_container
from report import Spread
from startup import environment

from podjig import GenericContainer, HttpWaitStrategy, Network, Pod, PostgresContainer, RedisContainer
from podjig.engine.discovery import current_engine
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

RATIOS = (
    ("three in a pod / the slowest of them alone", POD, ALONE, 0, 1.15),
    ("in a pod / one after another", POD, SEQUENCE, 0, None),
    ("in a pod / the peer", POD, PEER, 0, None),
    ("in a pod / the peer with podjig's PostgreSQL profile", POD, PEER_PROFILE, 0, None),
    ("removal: in a pod / one after another", POD, SEQUENCE, 1, None),
    ("removal: in a pod / the peer", POD, PEER, 1, None),
    ("a container in a pod / in a network", BOX_POD, BOX_NETWORK, 0, None),
    ("removal: a container in a pod / in a network", BOX_POD, BOX_NETWORK, 1, None),
)

Samples = Mapping[str, Sequence[tuple[float, float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds must be one or more")
    os.environ.update(environment(current_engine().info.address, os.devnull))  # before the peer is imported
    current_engine().ping()
    load = os.getloadavg()[0]
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in CONTESTANTS}
    names = list(CONTESTANTS)
    for number in range(arguments.rounds + 1):  # the first round warms the engine's caches and is not counted
        print(f"bench: round {number} of {arguments.rounds}", file=sys.stderr, flush=True)
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken = measure(CONTESTANTS[name])
            if number:
                samples[name].append(taken)
    print(f"testcontainers {version('testcontainers')}, Podman {current_engine().info.version}, "
          f"{os.cpu_count()} processors, load before {load:.1f}, {arguments.rounds} rounds")  # fmt: skip
    print("\n".join(lines(samples)))


def measure(contestant: Contestant) -> tuple[float, float]:
    """Return the seconds of its start and of its removal."""
    begun = time.perf_counter()
    with contestant():
        started = time.perf_counter()
    return started - begun, time.perf_counter() - started


def lines(samples: Samples) -> Iterator[str]:
    """Yield a line for each contestant and ratio: medians, with quartiles in parentheses."""
    yield f"\n{'':66}{'start, ms':>20}{'remove, ms':>20}"
    for name, taken in samples.items():
        start, remove = (Spread.of([pair[step] for pair in taken]) for step in (0, 1))
        yield f"{name:66}{start.show(1000, '.0f'):>20}{remove.show(1000, '.0f'):>20}"
    yield f"\n{'ratios':66}"
    for name, ours, other, step, goal in RATIOS:
        ratios = [mine[step] / theirs[step] for mine, theirs in zip(samples[ours], samples[other], strict=True)]
        middle = statistics.median(ratios)
        judged = "" if goal is None else f"  goal <= {goal:.2f}: {'met' if middle <= goal else 'MISSED'}"
        yield f"{name:66}{Spread.of(ratios).show(1, '.2f'):>20}{judged}"


if __name__ == "__main__":
    main()
