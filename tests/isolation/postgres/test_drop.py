"""The end of a database, whatever holds on to it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.server import PostgresServer

Ask = Callable[..., list[Any]]

NAME = 'podjig_drop "1"'


@pytest.fixture
def admin(server: PostgresServer, unchanged: None) -> Iterator[psycopg.Connection[Any]]:
    with server.connect() as connection:
        yield connection


@pytest.fixture
def database(admin: psycopg.Connection[Any]) -> str:
    admin.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(NAME)))
    return NAME


def test_nothing_was_left(admin: psycopg.Connection[Any], database: str) -> None:
    assert drop(admin, database) == []
    assert drop(admin, database) == [], "to drop it again is fine"


def test_a_connection_that_was_just_closed_is_not_left(
    server: PostgresServer, admin: psycopg.Connection[Any], database: str
) -> None:
    for _ in range(10):
        user = psycopg.connect(**server.parameters(database))
        user.execute("CREATE TABLE IF NOT EXISTS t AS SELECT generate_series(1, 10000)")
        user.close()
    assert drop(admin, database) == []


def test_an_open_connection_is_ended_and_named(
    server: PostgresServer, admin: psycopg.Connection[Any], database: str
) -> None:
    with psycopg.connect(**server.parameters(database), autocommit=True) as user:
        user.execute("SELECT 'the last query'")
        pid = user.info.backend_pid
        assert drop(admin, database, grace=0.01) == [
            f"an open connection (pid {pid}, idle, \"SELECT 'the last query'\")"
        ]


def test_an_idle_transaction_is_ended_and_named_with_the_start_of_its_query(
    server: PostgresServer, admin: psycopg.Connection[Any], database: str
) -> None:
    user = psycopg.connect(**server.parameters(database))
    user.execute("SELECT\n  1 -- " + "x" * 200)
    (left,) = drop(admin, database, grace=0.01)
    assert left.startswith(f"an idle transaction (pid {user.info.backend_pid}, 'SELECT 1 -- xxx")
    assert left.endswith("...')")
    assert len(left) < 140
    user.close()


def test_a_running_query_does_not_hold_it_up(
    server: PostgresServer, admin: psycopg.Connection[Any], database: str
) -> None:
    user = psycopg.connect(**server.parameters(database))
    pid = user.info.backend_pid

    def sleep() -> None:
        with pytest.raises(psycopg.Error, match="terminating connection"):
            user.execute("SELECT pg_sleep(60)")

    thread = threading.Thread(target=sleep)
    thread.start()
    while not admin.execute("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'").fetchall():
        time.sleep(0.005)
    assert drop(admin, database, grace=0.01) == [f"a running query (pid {pid}, 'SELECT pg_sleep(60)')"]
    thread.join(10)
    user.close()


def test_a_prepared_transaction_is_rolled_back_and_named(
    server: PostgresServer, admin: psycopg.Connection[Any], database: str, ask: Ask
) -> None:
    with psycopg.connect(**server.parameters(database)) as user:
        user.execute("CREATE TABLE t ()")
        user.execute("PREPARE TRANSACTION 'the ''gid'")
    assert drop(admin, database) == ['a prepared transaction ("the \'gid")']
    assert ask(server, "SELECT gid FROM pg_prepared_xacts") == []


def test_a_replication_slot_goes_though_it_is_active(
    server: PostgresServer, admin: psycopg.Connection[Any], database: str, ask: Ask
) -> None:
    ask(server, "SELECT pg_create_logical_replication_slot('active_slot', 'test_decoding')", database)
    ask(server, "SELECT pg_create_logical_replication_slot('idle_slot', 'test_decoding')", database)
    user = psycopg.pq.PGconn.connect(
        psycopg.conninfo.make_conninfo("", **server.parameters(database), replication="database").encode()
    )
    user.send_query(b'START_REPLICATION SLOT "active_slot" LOGICAL 0/0')
    while not ask(server, "SELECT 1 FROM pg_replication_slots WHERE active"):
        time.sleep(0.005)
    left = drop(admin, database, grace=0.01)
    assert sorted(each for each in left if "slot (" in each) == [
        "a replication slot ('active_slot')",
        "a replication slot ('idle_slot')",
    ]
    assert ask(server, "SELECT slot_name FROM pg_replication_slots") == []
    user.finish()


def test_a_subscription_goes_though_its_publisher_is_gone(
    server: PostgresServer, admin: psycopg.Connection[Any], database: str, ask: Ask
) -> None:
    subscription = "CREATE SUBSCRIPTION s CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false)"
    with psycopg.connect(**server.parameters(database), autocommit=True) as user:
        user.execute(subscription.encode())
    assert "a subscription ('s')" in drop(admin, database)
    assert ask(server, "SELECT subname FROM pg_subscription") == []


def test_sessions_that_come_again_and_again_are_kept_out(
    server: PostgresServer, admin: psycopg.Connection[Any], database: str
) -> None:
    stop = threading.Event()

    def come_again() -> None:
        while not stop.is_set():
            try:
                with psycopg.connect(**server.parameters(database), autocommit=True) as user:
                    user.execute("SELECT pg_sleep(0.05)")
            except psycopg.Error:
                pass

    threads = [threading.Thread(target=come_again) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    with closing(psycopg.connect(**server.parameters(database), autocommit=True)) as always:
        always.execute("SELECT 1")
        left = drop(admin, database, grace=0.01)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert any("open connection" in each for each in left), left
    assert all("pg_sleep" in each or "just begun" in each or "open connection" in each for each in left), left


@pytest.mark.parametrize("words", ["IS_TEMPLATE true", "ALLOW_CONNECTIONS false", "CONNECTION LIMIT 0"])
def test_what_a_test_may_have_done_to_it(admin: psycopg.Connection[Any], database: str, words: str) -> None:
    statement = psycopg.sql.SQL("ALTER DATABASE {} WITH {}")
    admin.execute(statement.format(psycopg.sql.Identifier(database), psycopg.sql.SQL(words)))
    assert drop(admin, database) == []
