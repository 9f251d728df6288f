"""A server shared by workers: each has a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from podjig import ContainerError, GenericContainer, PostgresContainer, RedisContainer
from podjig.services.postgres_state import database_of


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresContainer]:
    with PostgresContainer("postgres:17", driver=None) as server:
        with psycopg.connect(server.get_connection_url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE made_at_first (id int)")
        yield server


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisContainer]:
    with RedisContainer("redis:8") as server:
        yield server


def test_each_worker_has_its_own_database_with_what_the_main_one_has(postgres: PostgresContainer) -> None:
    first = PostgresContainer("postgres:17", driver=None).attach(postgres.id).partition("gw0")
    second = PostgresContainer("postgres:17", driver=None).attach(postgres.id).partition("gw1")
    assert first.get_connection_url().endswith("/test_gw0")
    with psycopg.connect(first.get_connection_url(), autocommit=True) as connection:
        connection.execute("INSERT INTO made_at_first VALUES (1)")
    with psycopg.connect(second.get_connection_url()) as connection:
        assert connection.execute("SELECT * FROM made_at_first").fetchall() == []
    again = PostgresContainer("postgres:17", driver=None).attach(postgres.id).partition("gw0")
    with psycopg.connect(again.get_connection_url()) as connection:
        assert connection.execute("SELECT * FROM made_at_first").fetchall() == [(1,)]
    first.stop()
    assert first.dbname == "test"
    assert again.clone().dbname == "test"


def test_many_ask_for_their_databases_at_once(postgres: PostgresContainer) -> None:
    def part(worker: str) -> str:
        server = PostgresContainer("postgres:17", driver=None).attach(postgres.id).partition(worker)
        with psycopg.connect(server.get_connection_url()) as connection:
            return str(connection.info.dbname)

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(part, ["gw2", "gw3", "gw2", "gw3", "gw4", "gw2", "gw4", "gw2"]))
    assert set(names) == {"test_gw2", "test_gw3", "test_gw4"}


@pytest.mark.parametrize("dbname", ["x" * 63, "ü" * 31, "postgres", 'with "quotes" and space'])
def test_names_of_all_kinds_and_lengths(dbname: str) -> None:
    with PostgresContainer("postgres:17", dbname=dbname, driver=None) as server:
        server.partition("gw10")
        assert len(server.dbname.encode()) <= 63
        with psycopg.connect(server.get_connection_url()) as connection:
            assert connection.info.dbname == server.dbname


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert database_of("x" * 62 + "a", "gw0") != database_of("x" * 62 + "b", "gw0")


@pytest.mark.parametrize("method", ["md5", "password", "trust", "scram-sha-256"])
def test_whatever_way_of_authentication_the_image_is_told(method: str) -> None:
    server = PostgresContainer("postgres:17", password="Пароль'ª", driver=None)
    with server.with_env("POSTGRES_HOST_AUTH_METHOD", method):
        assert server.partition("gw0").dbname == "test_gw0"


def test_each_worker_has_its_own_index(redis: RedisContainer) -> None:
    part = RedisContainer("redis:8").attach(redis.id).partition("gw3")
    assert part.get_connection_url().endswith("/3")
    assert part.get_connection_url(db=1).endswith("/1")
    with part.get_client() as mine, redis.get_client() as theirs:
        mine.set("name", "value")
        assert theirs.get("name") is None
    assert part.clone().get_connection_url.__self__._index == 0  # type: ignore[attr-defined]


def test_redis_says_that_it_has_too_few_databases(redis: RedisContainer) -> None:
    with pytest.raises(ContainerError, match=r"has 64 databases, too few for worker 'gw64'") as caught:
        redis.partition("gw64")
    assert "with_server_settings(databases=65)" in caught.value.hint
    with pytest.raises(ContainerError, match="has no number"):
        redis.partition("main")


def test_an_image_that_is_not_known_cannot_be_divided() -> None:
    assert not GenericContainer.can_partition
    with pytest.raises(ContainerError, match="cannot be divided among workers"):
        GenericContainer("busybox").partition("gw0")
