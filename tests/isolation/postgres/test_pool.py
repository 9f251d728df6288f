"""Databases that a broker process made in advance."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from podjig.errors import IsolationError
from podjig.isolation.postgres import pool_client
from podjig.isolation.postgres.broker.launch import folder_of
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.pool_databases import PoolDatabases
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template

Ask = Callable[..., list[Any]]

CLONES = "SELECT datname FROM pg_database WHERE starts_with(datname, 'podjig_pool_')"


@dataclass(frozen=True)
class Fruit:
    """A migration."""

    key: str = "f00d000000000001"
    description: str = "a table of fruit"

    def run(self, database: PostgresDatabase) -> None:
        with database.connect(autocommit=True) as connection:
            connection.execute("CREATE TABLE fruit AS SELECT 'fig' AS name")


@pytest.fixture
def databases(server: PostgresServer) -> Iterator[PoolDatabases]:
    pool = PoolDatabases(server, migration=Fruit())
    yield pool
    pool.close()


@pytest.fixture
def nothing_left(server: PostgresServer, ask: Ask) -> Iterator[None]:
    """Proof that clones and the broker go when their last user has gone."""
    folders = set(folder_of("").parent.glob("broker-*"))
    yield

    def left() -> list[object]:
        new = set(folder_of("").parent.glob("broker-*")) - folders
        # Those of test processes beside this one have a broker that listens.
        return [*ask(server, CLONES), *(folder for folder in new if not (folder / "socket").exists())]

    until = time.monotonic() + 15
    while left():
        assert time.monotonic() < until, f"left: {left()}"
        time.sleep(0.05)


def ready(databases: PoolDatabases) -> None:
    """Wait until the broker has made databases in advance."""
    client = databases._client
    assert client is not None
    until = time.monotonic() + 15
    while len(client._next) < pool_client.AHEAD:
        assert time.monotonic() < until, "the broker made nothing"
        client._with_broker(client._refill)
        time.sleep(0.005)


def names(connection: psycopg.Connection[Any]) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM fruit ORDER BY 1")]


def test_each_finds_the_schema_and_nothing_of_the_one_before(
    server: PostgresServer, databases: PoolDatabases, nothing_left: None
) -> None:
    seen = set()
    for number in range(12):
        database = databases.acquire(f"test_{number}")
        seen.add(database.name)
        with database.connect() as connection:
            assert names(connection) == ["fig"]
            connection.execute("INSERT INTO fruit VALUES ('date')")
        with psycopg.connect(database.dsn) as second:
            assert names(second) == ["date", "fig"]
        databases.release(database)
    assert len(seen) == 12
    assert databases.leftovers() == []
    databases.close()


def test_the_connection_opened_in_advance_is_like_a_new_one(server: PostgresServer, databases: PoolDatabases) -> None:
    databases.release(databases.acquire())
    ready(databases)
    database = databases.acquire()
    with database.connect() as warm, database.connect() as cold:
        for ask in ("SHOW ALL", "SELECT current_database(), current_user, session_user, pg_backend_pid() > 0"):
            one, other = (connection.execute(ask.encode()).fetchall() for connection in (warm, cold))
            assert one == other
        for attribute in ("autocommit", "row_factory", "prepare_threshold", "isolation_level", "cursor_factory"):
            assert getattr(warm, attribute) == getattr(cold, attribute)
        assert warm.info.get_parameters() == cold.info.get_parameters()
        assert warm.info.transaction_status == cold.info.transaction_status
        assert warm.info.backend_pid < cold.info.backend_pid, "it was opened in advance"
    databases.release(database)


def test_tests_that_never_connect_get_no_connection_in_advance(
    server: PostgresServer, databases: PoolDatabases
) -> None:
    for _ in range(8):
        databases.release(databases.acquire())
        ready(databases)
    client = databases._client
    assert client is not None
    assert [opening for _, opening in client._next] == [None] * pool_client.AHEAD
    assert databases.leftovers() == [], "nobody is told of connections that podjig opened"


def test_what_was_left_behind_is_named_with_who_did_it(databases: PoolDatabases) -> None:
    database = databases.acquire("tests/test_x.py::test_it[ä]")
    connection = database.connect()
    connection.execute("INSERT INTO fruit VALUES ('left')")
    pid = connection.info.backend_pid
    databases.release(database)
    databases.close()
    (left,) = databases.leftovers()
    assert left.requester == "tests/test_x.py::test_it[ä]"
    assert left.what == f"an idle transaction (pid {pid}, \"INSERT INTO fruit VALUES ('left')\")"
    connection.close()


def test_a_database_that_is_kept_stays(server: PostgresServer, databases: PoolDatabases, ask: Ask) -> None:
    database = databases.acquire("test_kept")
    with database.connect() as connection:
        connection.execute("INSERT INTO fruit VALUES ('kept')")
    databases.release(database, keep=True)
    databases.close()
    assert sorted(ask(server, "SELECT name FROM fruit", database.name)) == ["fig", "kept"]
    with server.connect() as connection:
        drop(connection, database.name)


def test_roles_and_settings_of_one_test_do_not_reach_the_next(
    server: PostgresServer, databases: PoolDatabases, nothing_left: None
) -> None:
    for _ in range(3):
        database = databases.acquire("test_roles")
        with database.connect(autocommit=True) as connection:
            assert connection.execute("SHOW work_mem").fetchone() == ("4MB",)
            connection.execute("CREATE ROLE reader")
            connection.execute("GRANT SELECT ON fruit TO reader")
            connection.execute("ALTER ROLE CURRENT_USER SET work_mem = '7MB'")
        ready(databases)  # with connections that begin under that setting
        databases.release(database)
    left = [each.what for each in databases.leftovers()]
    assert sorted(left) == sorted(
        ["a new role ('reader') of the whole server", "a new setting ('role test') of the whole server"] * 3
    )
    databases.close()


def test_a_test_that_ends_everybodys_connections_harms_only_itself(
    server: PostgresServer, databases: PoolDatabases, nothing_left: None
) -> None:
    for _ in range(3):
        database = databases.acquire("test_violence")
        with database.connect(autocommit=True) as connection:
            assert names(connection) == ["fig"]
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        databases.release(database)
    databases.close()


def test_a_forked_child_has_databases_of_its_own(
    server: PostgresServer, databases: PoolDatabases, nothing_left: None
) -> None:
    database = databases.acquire("parent")
    connection = database.connect()
    connection.execute("INSERT INTO fruit VALUES ('of the parent')")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of fork where there are threads
        child = os.fork()
    if child == 0:
        status = 1
        try:
            databases.release(database)  # the parent's: not ours to give back
            mine = databases.acquire("child")
            with mine.connect() as own:
                own.execute("INSERT INTO fruit VALUES ('of the child')")
                status = 0 if names(own) == ["fig", "of the child"] and mine.name != database.name else 2
        finally:
            os._exit(status)  # as pytest-forked ends it: without giving anything back
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    connection.commit()
    assert names(connection) == ["fig", "of the parent"]
    connection.close()
    databases.release(database)
    database = databases.acquire("parent again")
    with database.connect() as connection:
        assert names(connection) == ["fig"]
    databases.release(database)
    assert databases.leftovers() == []
    databases.close()


def test_without_a_broker_it_works_and_says_so_once(
    server: PostgresServer, databases: PoolDatabases, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "")
    with pytest.warns(UserWarning, match="takes longer: no broker process .*sys.executable"):
        databases.release(databases.acquire())
    for number in range(3):  # any other warning is an error
        database = databases.acquire(f"test_{number}")
        with database.connect() as connection:
            assert names(connection) == ["fig"]
            connection.execute("CREATE ROLE reader")
            connection.execute("GRANT SELECT ON fruit TO reader")
        databases.release(database)
    assert [each.requester for each in databases.leftovers()] == ["test_0", "test_1", "test_2"]
    unreleased = databases.acquire()
    databases.close()
    assert unreleased.name not in ask(server, CLONES)


def test_a_template_that_vanished_is_said(server: PostgresServer, nothing_left: None) -> None:
    databases = PoolDatabases(server, migration=Fruit(key="f00d000000000002"))
    databases.release(databases.acquire())
    ready(databases)
    with server.connect() as connection:
        drop(connection, ensure_template(server, Fruit(key="f00d000000000002")))
    with pytest.raises(IsolationError, match="from template 'podjig_template_f00d000000000002'.*does not exist"):
        [databases.acquire() for _ in range(12)]
    databases.close()


def test_too_many_workers_for_the_server_are_refused(server: PostgresServer) -> None:
    databases = PoolDatabases(server, migration=Fruit(), workers=30)
    with pytest.raises(IsolationError, match="30 x "):
        databases.acquire()
    databases.close()


def test_to_close_twice_and_to_use_it_again_is_fine(databases: PoolDatabases) -> None:
    databases.close()
    databases.release(databases.acquire())
    databases.close()
    databases.close()
    database = databases.acquire()
    with database.connect() as connection:
        assert names(connection) == ["fig"]


def test_more_than_a_few_at_once(databases: PoolDatabases, nothing_left: None) -> None:
    many = [databases.acquire() for _ in range(10)]
    assert len({database.name for database in many}) == 10
    for database in many:
        with database.connect() as connection:
            assert names(connection) == ["fig"]
        databases.release(database)
    databases.close()
