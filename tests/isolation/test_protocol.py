"""The contract that every way to a clean state keeps, whatever the server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from podjig import PostgresContainer, RedisContainer
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.databases import PostgresDatabases
from podjig.isolation.postgres.modes import MODES as POSTGRES_MODES
from podjig.isolation.protocol import Isolation
from podjig.isolation.redis.claim import KEPT
from podjig.isolation.redis.database import RedisDatabase
from podjig.isolation.redis.databases import RedisDatabases
from podjig.isolation.redis.modes import MODES as REDIS_MODES


@dataclass(frozen=True)
class Way:
    """One way, and how a test works with its states."""

    make: Callable[[], Isolation[Any]]
    write: Callable[[Any, str], None]
    read: Callable[[Any], list[str]]
    look: Callable[[Any], list[str]]  # from outside, after the end
    forget: Callable[[Any], None]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresContainer]:
    with PostgresContainer("postgres:17") as started:
        yield started


@pytest.fixture(scope="session")
def cache() -> Iterator[RedisContainer]:
    with RedisContainer("redis:8") as started:
        yield started


@pytest.fixture(
    params=[
        *(pytest.param(("postgres", mode), id=f"postgres-{mode}") for mode in POSTGRES_MODES),
        *(pytest.param(("redis", mode), id=f"redis-{mode}") for mode in REDIS_MODES),
    ]
)
def way(request: pytest.FixtureRequest) -> Way:
    """Each in turn."""
    service, mode = request.param
    if service == "postgres":
        server: PostgresContainer = request.getfixturevalue("postgres")
        return Way(
            make=lambda: PostgresDatabases(server, migrate=migrate, mode=mode),
            write=write_row,
            read=read_rows,
            look=lambda state: look_at_rows(server, state),
            forget=lambda state: drop(server, state),
        )
    cache: RedisContainer = request.getfixturevalue("cache")
    return Way(
        make=lambda: RedisDatabases(cache, mode=mode),
        write=lambda state, name: state.client.set(state.key(name), "value"),
        read=read_keys,
        look=look_at_keys,
        forget=lambda state: forget_keys(cache, state),
    )


@pytest.fixture
def isolation(way: Way) -> Iterator[Isolation[Any]]:
    isolation = way.make()
    yield isolation
    isolation.close()
    assert [str(each) for each in isolation.leftovers()] == []


def test_each_state_is_clean(way: Way, isolation: Isolation[Any]) -> None:
    for name in ("ada", "bob", "cyd"):
        state = isolation.acquire(f"test_{name}")
        assert way.read(state) == []
        way.write(state, name)
        assert way.read(state) == [name]
        isolation.release(state)


def test_two_states_at_once_do_not_see_each_other(way: Way, isolation: Isolation[Any]) -> None:
    one, other = isolation.acquire(), isolation.acquire()
    way.write(one, "ada")
    assert way.read(other) == []
    isolation.release(other)
    assert way.read(one) == ["ada"]
    isolation.release(one)


def test_two_isolations_of_a_server_do_not_disturb_each_other(way: Way, isolation: Isolation[Any]) -> None:
    state = isolation.acquire()
    way.write(state, "ada")
    second = way.make()
    theirs = second.acquire()
    assert way.read(theirs) == []
    way.write(theirs, "bob")
    second.release(theirs)
    second.close()
    assert way.read(state) == ["ada"]
    isolation.release(state)


def test_what_is_kept_outlives_the_isolation_and_is_not_given_out_again(way: Way) -> None:
    isolation = way.make()
    kept = isolation.acquire()
    way.write(kept, "ada")
    isolation.release(kept, keep=True)
    state = isolation.acquire()
    assert way.read(state) == []
    isolation.release(state)
    isolation.close()
    assert way.look(kept) == ["ada"]
    way.forget(kept)


def test_a_state_may_be_given_back_twice(way: Way, isolation: Isolation[Any]) -> None:
    state = isolation.acquire()
    isolation.release(state)
    isolation.release(state)
    again, other = isolation.acquire(), isolation.acquire()
    way.write(again, "ada")
    assert way.read(other) == []
    isolation.release(again)
    isolation.release(other)


def test_it_may_be_closed_twice_unused_and_with_a_state_given_out(way: Way) -> None:
    unused = way.make()
    unused.close()
    unused.close()
    used = way.make()
    way.write(used.acquire("test_of_mine"), "ada")
    used.close()
    used.close()
    assert used.leftovers() == []


def test_a_forked_child_is_clean_and_leaves_its_parents_state_alone(way: Way, isolation: Isolation[Any]) -> None:
    state = isolation.acquire()
    way.write(state, "ada")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            isolation.release(state)  # its parent's: nothing happens
            own = isolation.acquire()
            code = 0 if way.read(own) == [] else 2
            isolation.release(own)
            isolation.close()
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert way.read(state) == ["ada"]
    isolation.release(state)
    after = isolation.acquire()
    assert way.read(after) == []
    isolation.release(after)


def migrate(database: PostgresDatabase) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE person (name text)")


def write_row(state: PostgresDatabase, name: str) -> None:
    with state.connect() as connection:
        connection.execute("INSERT INTO person VALUES (%s)", (name,))


def read_rows(state: PostgresDatabase) -> list[str]:
    with state.connect() as connection:
        return [name for (name,) in connection.execute("SELECT name FROM person ORDER BY 1")]


def look_at_rows(server: PostgresContainer, state: PostgresDatabase) -> list[str]:
    done = server.exec(["psql", "-U", server.username, "-Atc", "SELECT name FROM person ORDER BY 1", state.name])
    return done.stdout.decode().split()


def drop(server: PostgresContainer, state: PostgresDatabase) -> None:
    server.exec(["dropdb", "-U", server.username, "--force", state.name])


def read_keys(state: RedisDatabase) -> list[str]:
    keys: Any = state.client.keys(f"{state.prefix}*")
    return sorted(key.decode().removeprefix(state.prefix) for key in keys)


def look_at_keys(state: RedisDatabase) -> list[str]:
    keys = read_keys(RedisDatabase(state.server, state.index, prefix=state.prefix))
    return [key for key in keys if key != KEPT]  # which keeps others from it


def forget_keys(cache: RedisContainer, state: RedisDatabase) -> None:
    own = state.server.container
    if own is not None and own is not cache:
        own.stop()
        return
    with RedisDatabase(state.server, state.index).connect() as client:
        client.flushdb()
