"""What is measured, in an interpreter of its own: `contestants.py CONTESTANT SERVICE IMAGE` prints seconds as JSON.

Both use the same image, engine and client library (psycopg, redis-py), whose import is not counted.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

PODJIG = "podjig"
PODJIG_DURABLE = "podjig, durable=True"
PEER = "testcontainers"
PEER_PROFILE = "testcontainers, test profile by hand"

# What a user of the peer may write to get podjig's test profile of PostgreSQL.
PROFILE_TMPFS = "/var/lib/postgresql/data"
PROFILE_INITDB = "--no-sync"


class Clock:
    """Seconds from one lap to the next."""

    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        last, self._last = self._last, time.perf_counter()
        return self._last - last


def podjig_import(service: str) -> dict[str, float]:
    clock = Clock()
    podjig = import_module("podjig")
    bare = clock.lap()
    assert podjig.PostgresContainer if service == "postgres" else podjig.RedisContainer
    return {"import podjig": bare, "import": bare + clock.lap()}


def podjig_answer() -> None:
    from podjig.engine.discovery import current_engine

    current_engine().ping()


def podjig_container(service: str, image: str, *, durable: bool) -> Any:
    from podjig import PostgresContainer, RedisContainer

    if service == "postgres":
        return PostgresContainer(image, driver=None, durable=durable)
    return RedisContainer(image, durable=durable)


def peer_import(service: str) -> dict[str, float]:
    clock = Clock()
    import_module(f"testcontainers.community.{service}")
    return {"import": clock.lap()}


def peer_answer() -> None:
    from testcontainers.core.docker_client import DockerClient

    DockerClient().client.ping()


def peer_container(service: str, image: str, *, profile: bool) -> Any:
    from testcontainers.community.postgres import PostgresContainer
    from testcontainers.community.redis import RedisContainer

    if service == "redis":
        return RedisContainer(image)
    container = PostgresContainer(image, driver=None)
    if profile:
        from podjig.services.postgres import TEST_PROFILE

        options = " ".join(f"-c {name}={value}" for name, value in TEST_PROFILE.items())
        container.with_command(f"postgres {options}").with_env("POSTGRES_INITDB_ARGS", PROFILE_INITDB)
        container.with_tmpfs_mount(PROFILE_TMPFS)
    return container


def first_query(container: Any) -> None:
    import psycopg

    with psycopg.connect(container.get_connection_url()) as connection:
        connection.execute("SELECT 1")


def first_ping(container: Any) -> None:
    client = container.get_client()
    client.ping()
    client.close()


def measure(contestant: str, service: str, image: str) -> dict[str, float]:
    """Return the seconds of each step: import, first engine answer, start to the first answer of the service, stop."""
    ours = contestant in (PODJIG, PODJIG_DURABLE)
    if service == "redis":
        import_module("redis")  # the peer's class imports it, so nobody is charged for it
    seconds = podjig_import(service) if ours else peer_import(service)
    import_module("psycopg")
    clock = Clock()
    (podjig_answer if ours else peer_answer)()
    seconds["engine"] = clock.lap()
    ask: Callable[[Any], None] = first_query if service == "postgres" else first_ping
    if ours:
        container = podjig_container(service, image, durable=contestant == PODJIG_DURABLE)
    else:
        container = peer_container(service, image, profile=contestant == PEER_PROFILE)
    with container:
        ask(container)
        seconds["start"] = clock.lap()
    seconds["stop"] = clock.lap()
    seconds["whole"] = seconds["import"] + seconds["engine"] + seconds["start"]
    return seconds


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:])))
