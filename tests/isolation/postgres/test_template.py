"""The template: made once a server, whoever asks, and nothing left of one that fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, text

from isolation.postgres.conftest import Ask
from podjig import PostgresContainer
from podjig.errors import IsolationError, MigrationError
from podjig.isolation.postgres import template
from podjig.isolation.postgres.clone import clone
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.migration.choice import migration
from podjig.isolation.postgres.names import database_name, making_name, template_name
from podjig.isolation.postgres.roles import Guard
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template

OURS = "SELECT datname FROM pg_database WHERE datname LIKE 'podjig\\_%' ORDER BY 1"

MAKER = """
import sys, time
from podjig.isolation.postgres.migration.choice import migration
from podjig.isolation.postgres.roles import Guard
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template

class Slow:
    key, description = sys.argv[2], "a slow one"
    def run(self, database):
        print("migrating", flush=True)
        with database.connect(autocommit=True) as connection:
            connection.execute("CREATE TABLE slow ()")
            time.sleep(float(sys.argv[3]))

print(ensure_template(PostgresServer.of(sys.argv[1]), Slow()), flush=True)
"""


class Mine:
    """A migration that does as told, with a key of its own."""

    description = "one of the tests"

    def __init__(self, run: Callable[[PostgresDatabase], Any] = lambda database: None) -> None:
        self.key = database_name().encode().hex()[-16:]
        self.runs = 0
        self._run = run

    def run(self, database: PostgresDatabase) -> None:
        self.runs += 1
        self._run(database)


@pytest.fixture(autouse=True)
def no_templates_left(server: PostgresServer, ask: Ask) -> Iterator[None]:
    """Drop the templates of a test: they would stay with the server."""
    before = set(ask(server, OURS))
    yield
    with closing(server.connect()) as connection:
        for name in set(ask(server, OURS)) - before:
            drop(connection, name, grace=0)


def test_it_has_the_schema_and_lets_nobody_in(each_server: PostgresServer, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text("CREATE TABLE t (i int); INSERT INTO t VALUES (7)")
    chosen = migration(tmp_path)
    name = ensure_template(each_server, chosen)
    assert name == template_name(chosen.key)
    with closing(each_server.connect()) as connection:
        flags = "SELECT datallowconn, datistemplate, shobj_description(oid, 'pg_database') FROM pg_database"
        row = connection.execute(f"{flags} WHERE datname = '{name}'".encode()).fetchone()
        assert row is not None
        assert row[:2] == (False, True)
        assert json.loads(row[2]) == {"podjig template": chosen.description, "on the server": []}
        with pytest.raises(IsolationError, match="not currently accepting connections"):
            each_server.connect(name)
        copy = database_name("copy")
        clone(connection, name, copy)
        assert ask(each_server, "SELECT i FROM t", copy) == [7]
        drop(connection, copy)
        drop(connection, name)


def test_it_is_made_once_and_again_when_the_content_changes(server: PostgresServer) -> None:
    first, second = Mine(), Mine()
    names = [ensure_template(server, each) for each in (first, first, second, first)]
    assert (first.runs, second.runs) == (1, 1)
    assert names == [template_name(each.key) for each in (first, first, second, first)]


def test_old_ones_go_when_they_are_many_and_nobody_is_there(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template, "KEPT", 2)
    with PostgresContainer("postgres:17") as pg:
        server = PostgresServer.of(pg)
        with closing(server.connect()):  # somebody is there
            names = [ensure_template(server, Mine()) for _ in range(3)]
            assert ask(server, OURS) == sorted(names)
        names.append(ensure_template(server, Mine()))
        assert ask(server, OURS) == sorted(names[-2:])


def test_with_no_migration_it_is_empty_and_has_what_template1_has(server: PostgresServer, ask: Ask) -> None:
    name = ensure_template(server, migration(None))
    assert ask(server, f"SELECT 1 FROM pg_database WHERE datname = '{name}'") == [1]


# Several processes


def start(server: PostgresServer, key: str, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAKER, server.url(server.dbname), key, str(seconds)], stdout=subprocess.PIPE, text=True
    )


def test_other_processes_wait_and_only_one_migrates(server: PostgresServer) -> None:
    mine = Mine()
    processes = [start(server, mine.key, 0.5) for _ in range(3)]
    outputs = [process.communicate()[0].splitlines() for process in processes]
    assert sorted(outputs, key=len) == [[template_name(mine.key)]] * 2 + [["migrating", template_name(mine.key)]]
    ensure_template(server, mine)
    assert mine.runs == 0


def test_what_a_killed_process_left_half_made_is_made_again(server: PostgresServer, ask: Ask) -> None:
    mine = Mine()
    process = start(server, mine.key, 600)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "migrating\n"
        process.kill()
        process.wait()
    assert making_name(mine.key) in ask(server, OURS)
    assert ensure_template(server, mine) == template_name(mine.key)
    assert mine.runs == 1
    assert making_name(mine.key) not in ask(server, OURS)


def test_waiting_ends_with_an_error_that_names_who_is_at_it(server: PostgresServer, ask: Ask) -> None:
    began, end = threading.Event(), threading.Event()

    def run(database: PostgresDatabase) -> None:
        began.set()
        end.wait(60)

    mine = Mine(run)
    other = threading.Thread(target=ensure_template, args=(server, mine))
    other.start()
    try:
        assert began.wait(60)
        with pytest.raises(IsolationError, match=r"another process has been making template .* for 0.1 s") as caught:
            ensure_template(server, mine, wait=0.1)
        (pid,) = re.findall(r"has pid (\d+)", caught.value.hint)
        assert int(pid) in ask(server, "SELECT pid FROM pg_stat_activity WHERE application_name = 'podjig'")
    finally:
        end.set()
        other.join()


# Failures


def sql_error(database: PostgresDatabase) -> None:
    with database.connect() as connection:
        connection.execute("CREATE TABLE t (i int)")
        connection.execute("SELECT 1 / 0 AS here_it_fails")


def interrupted(database: PostgresDatabase) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("run", "error"), [(sql_error, MigrationError), (interrupted, KeyboardInterrupt)])
def test_nothing_is_left_of_one_that_fails_and_the_next_may_succeed(
    server: PostgresServer, ask: Ask, run: Callable[[PostgresDatabase], None], error: type[BaseException]
) -> None:
    before = ask(server, OURS)

    def attempt(connection: psycopg.Connection[Any]) -> None:
        run(PostgresDatabase(server, connection.info.dbname))

    mine = Mine(lambda database: migration(attempt).run(database))
    with pytest.raises(error):
        ensure_template(server, mine)
    assert ask(server, OURS) == before
    mine._run = lambda database: None
    assert ensure_template(server, mine) == template_name(mine.key)


def test_a_failure_shows_the_servers_log(container: PostgresContainer, tmp_path: Path) -> None:
    (tmp_path / "bad.sql").write_text("SELECT 1;\nSELECT 1 / 0 AS here_it_fails;")
    with pytest.raises(MigrationError, match="division by zero") as caught:
        ensure_template(PostgresServer.of(container), migration(tmp_path))
    assert "ERROR:  division by zero" in caught.value.logs
    assert "here_it_fails" in caught.value.logs
    with pytest.raises(MigrationError, match="division by zero") as caught:
        ensure_template(PostgresServer.of(container.get_connection_url(driver=None)), migration(tmp_path))
    assert caught.value.logs == "", "a URL has no log"


def test_a_migration_that_ends_the_server_is_told_with_its_log(container: PostgresContainer) -> None:
    with container.clone() as other:

        def ends(connection: psycopg.Connection[Any]) -> None:
            other.exec(["sh", "-c", "kill -QUIT 1"])
            connection.execute("SELECT pg_sleep(60)")

        with pytest.raises(MigrationError, match="ends failed at ") as caught:
            ensure_template(PostgresServer.of(other), migration(ends))
        assert "immediate shutdown" in caught.value.logs


def test_a_user_who_may_not_make_databases_is_told(server: PostgresServer, ask: Ask) -> None:
    ask(server, "CREATE ROLE nobody_much LOGIN PASSWORD 'x'")
    url = server.url(server.dbname).replace("test:test@", "nobody_much:x@")
    with pytest.raises(IsolationError, match="permission denied to create database") as caught:
        ensure_template(PostgresServer.of(url), Mine())
    assert caught.value.hint == "connect as a superuser"
    ask(server, "DROP ROLE nobody_much")


def test_connections_that_a_migration_leaves_open_are_ended(server: PostgresServer) -> None:
    engines = []

    def leaves_an_engine(url: str) -> None:
        engines.append(create_engine(url))
        with engines[0].begin() as connection:
            connection.execute(text("CREATE TABLE t ()"))

    chosen = migration(leaves_an_engine)
    began = time.monotonic()
    name = ensure_template(server, chosen)
    assert time.monotonic() - began < 5, "CREATE DATABASE itself waits 5 s for others to leave"
    with closing(server.connect()) as connection:
        copy = database_name("copy")
        clone(connection, name, copy)
        drop(connection, copy)
    engines[0].dispose()


def test_a_prepared_transaction_of_a_migration_is_refused(server: PostgresServer) -> None:
    def prepares(connection: psycopg.Connection[Any]) -> None:
        connection.execute("BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'left';")

    with pytest.raises(MigrationError, match=r"leaves behind a prepared transaction \('left'\)"):
        ensure_template(server, migration(prepares))


def test_roles_that_a_migration_makes_stay_though_tests_of_others_run_meanwhile(
    server: PostgresServer, ask: Ask
) -> None:
    def creates(connection: psycopg.Connection[Any]) -> None:
        connection.execute("DROP ROLE IF EXISTS of_a_migration; CREATE ROLE of_a_migration; CREATE ROLE more_of_it")

    find = "SELECT rolname FROM pg_roles WHERE rolname LIKE '%of_a%' OR rolname LIKE 'more_of_it' ORDER BY 1"
    with closing(server.connect()) as connection, closing(server.connect()) as other:
        guard = Guard(connection, undoes=True)
        before = guard.enter()
        ensure_template(server, migration(creates))
        other.execute("CREATE ROLE of_a_test")
        (told,) = guard.leave(before, free=lambda: None)
        assert told.startswith("a new role ('of_a_test') of the whole server")  # the migration may be just going
        assert "stays" not in told
        assert ask(server, find) == ["more_of_it", "of_a_migration"]
        before = guard.enter()
        other.execute("ALTER ROLE more_of_it CREATEDB")
        assert guard.leave(before, free=lambda: None) == ["a changed role ('more_of_it') of the whole server"]
        assert ask(server, "SELECT rolcreatedb FROM pg_roles WHERE rolname = 'more_of_it'") == [False]
    ask(server, "DROP ROLE of_a_migration, more_of_it")


def test_what_a_migration_sets_for_its_database_holds_in_clones(each_server: PostgresServer, ask: Ask) -> None:
    def sets(connection: psycopg.Connection[Any]) -> None:
        name = connection.info.dbname
        connection.execute(f'CREATE SCHEMA mine; ALTER DATABASE {name} SET search_path TO mine, "$user"'.encode())
        connection.execute(f"ALTER DATABASE {name} SET work_mem TO '7MB'".encode())

    name, copy = ensure_template(each_server, migration(sets)), database_name("copy")
    with closing(each_server.connect()) as connection:
        clone(connection, name, copy)
        assert ask(each_server, "SHOW search_path", copy) == ['mine, "$user"']
        assert ask(each_server, "SHOW work_mem", copy) == ["7MB"]
        drop(connection, copy)
        drop(connection, name)
    orphans = "SELECT setconfig FROM pg_db_role_setting WHERE setdatabase NOT IN (SELECT oid FROM pg_database)"
    assert ask(each_server, f"{orphans} AND setdatabase <> 0") == []


def test_a_template_that_somebody_entered_is_named_with_who(server: PostgresServer, ask: Ask) -> None:
    name = ensure_template(server, Mine())
    ask(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    with closing(server.connect()) as connection, closing(server.connect(name)) as intruder:
        with pytest.raises(IsolationError, match="the template is in use") as caught:
            clone(connection, name, database_name("copy"))
        assert str(intruder.info.backend_pid) in caught.value.message
