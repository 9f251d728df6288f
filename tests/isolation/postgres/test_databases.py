"""The entry: clean databases of one server, here by cloning a template."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import asyncpg
import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import create_engine, text

from isolation.postgres.conftest import Ask
from podjig import PostgresContainer
from podjig.errors import DefinitionError, IsolationError, MigrationError, NotStartedError, PodjigError
from podjig.isolation.postgres import driver, drop
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.databases import PostgresDatabases
from podjig.isolation.postgres.modes import MODES
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template
from podjig.isolation.protocol import Leftover

LOCAL = ["template", "rollback", "truncate"]
"""The modes that make their databases in the test's own process."""

CLONES = "SELECT datname FROM pg_database WHERE datname ~ '^podjig_(?!pool_).*[0-9a-f]{8}x[0-9]+$' ORDER BY 1"


def schema(connection: psycopg.Connection[Any]) -> None:
    connection.execute("CREATE TABLE users (id serial PRIMARY KEY, name text)")
    connection.execute("INSERT INTO users (name) VALUES ('seed')")


@pytest.fixture
def databases(server: PostgresServer, ask: Ask) -> Iterator[PostgresDatabases]:
    with PostgresDatabases(server, migrate=schema, mode="template") as made:
        yield made
    assert ask(server, CLONES) == []


def names(database: PostgresDatabase) -> list[str]:
    with database.connect() as connection:
        return [name for (name,) in connection.execute("SELECT name FROM users ORDER BY id")]


def add(database: PostgresDatabase, name: str) -> None:
    with database.connect() as connection:
        connection.execute("INSERT INTO users (name) VALUES (%s)", (name,))


def eventually(check: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_each_database_is_migrated_and_clean(databases: PostgresDatabases) -> None:
    for _ in range(3):
        with databases.database("tests/test_users.py::test_one[a/b]") as database:
            assert database.name.startswith("podjig_one_a_b_")
            assert names(database) == ["seed"]
            add(database, "mine")
            assert names(database) == ["seed", "mine"]


def test_two_at_once_are_apart(databases: PostgresDatabases) -> None:
    with databases.database() as one, databases.database() as other:
        add(one, "mine")
        assert names(one) == ["seed", "mine"]
        assert names(other) == ["seed"]


def test_its_server_may_be_a_container_or_a_url(container: PostgresContainer, server: PostgresServer) -> None:
    template = None
    for given in (container, container.get_connection_url(), server.url(server.dbname)):
        with PostgresDatabases(given, migrate=schema, mode="template") as databases, databases.database() as database:
            assert names(database) == ["seed"]
            found = ensure_template(server, databases._way._migration)  # type: ignore[attr-defined]
            assert found == (template := template or found), "one template, however the server is given"
        assert "template" in repr(databases)


def test_with_no_migration_it_is_empty_on_each_version(each_server: PostgresServer) -> None:
    query = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    with (
        PostgresDatabases(each_server, mode="template") as databases,
        databases.database() as database,
        database.connect() as connection,
    ):
        assert connection.execute(query).fetchone() == (0,)


@pytest.mark.parametrize("mode", ["pool", "rollback", "truncate"])
def test_the_other_modes_start_from_the_same_template(container: PostgresContainer, mode: str) -> None:
    with PostgresDatabases(container, migrate=schema, mode=mode) as databases:
        for _ in range(2):
            with databases.database() as database:
                assert names(database) == ["seed"]
                add(database, "mine")


# Every driver


def test_every_driver_connects(databases: PostgresDatabases) -> None:
    query = "SELECT current_database()"
    with databases.database() as database:
        for chosen in ("psycopg", "psycopg2"):
            engine = create_engine(database.get_url(chosen))
            with engine.connect() as connection:
                assert connection.execute(text(query)).scalar() == database.name
            engine.dispose()

        async def asynchronous() -> None:
            async with await database.aconnect(autocommit=True) as connection:
                assert connection.autocommit
                cursor = await connection.execute(query)
                assert await cursor.fetchone() == (database.name,)
            other = await asyncpg.connect(database.dsn)
            assert await other.fetchval(query) == database.name
            await other.close()

        asyncio.run(asynchronous())
        with psycopg.connect(database.dsn) as plain:
            assert plain.info.dbname == database.name
        with pytest.raises(DefinitionError, match="unsupported driver 'oracle'"):
            database.get_url("oracle")


def test_a_warm_connection_takes_what_can_be_set_on_an_open_one(
    databases: PostgresDatabases, server: PostgresServer
) -> None:
    with databases.database() as given:

        def warmed(**kwargs: Any) -> tuple[psycopg.Connection[Any], bool]:
            warm = psycopg.connect(**server.parameters(given.name))
            connection = PostgresDatabase(server, given.name, warm=warm).connect(**kwargs)
            return connection, connection is warm

        kinds = {"autocommit": True, "row_factory": dict_row, "prepare_threshold": None}
        connection, same = warmed(**kinds)
        with connection:
            assert same
            assert connection.autocommit
            assert connection.prepare_threshold is None
            assert connection.execute("SELECT 1 AS one").fetchone() == {"one": 1}
        connection, same = warmed(options="-c statement_timeout=7s")
        with connection:
            assert not same
            assert connection.execute("SHOW statement_timeout").fetchone() == ("7s",)
        warm = psycopg.connect(**server.parameters(given.name))
        warm.close()
        with PostgresDatabase(server, given.name, warm=warm).connect() as connection:
            assert connection is not warm


def test_without_psycopg_it_says_what_to_install(container: PostgresContainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(PodjigError, match="'psycopg' cannot be used") as caught:
        driver.psycopg()
    assert "podjig[postgres]" in caught.value.hint
    with pytest.raises(PodjigError, match="'psycopg' cannot be used"):
        PostgresDatabases(container)


# What is left behind


def test_what_a_test_leaves_open_is_named_and_in_nobodys_way(databases: PostgresDatabases) -> None:
    database = databases.acquire("test_sloppy")
    idle = database.connect()
    idle.execute("INSERT INTO users (name) VALUES ('never committed')")
    databases.release(database)
    began = time.monotonic()
    with databases.database() as next_one:
        assert names(next_one) == ["seed"]
    assert time.monotonic() - began < drop._TIMEOUT, "it waited for the connection to go"
    found: list[Leftover] = []

    def any_found() -> bool:
        found.extend(databases.leftovers())
        return bool(found)

    assert eventually(any_found)
    assert [each.requester for each in found] == ["test_sloppy"]
    assert found[0].what.startswith("an idle transaction (pid")
    idle.close()


@pytest.mark.parametrize("mode", ["template", "truncate"])
def test_roles_do_not_leak_into_the_next_test(ask: Ask, server: PostgresServer, mode: str) -> None:
    with PostgresDatabases(server, migrate=schema, mode=mode) as databases:
        with databases.database("test_roles") as database, database.connect() as connection:
            connection.execute("CREATE ROLE of_a_test; GRANT SELECT ON users TO of_a_test")
        assert ask(server, "SELECT 1 FROM pg_roles WHERE rolname = 'of_a_test'") == []
        assert [(each.requester, each.what) for each in databases.leftovers()] == [
            ("test_roles", "a new role ('of_a_test') of the whole server")
        ]
        with databases.database() as database:
            assert names(database) == ["seed"]


@pytest.mark.parametrize("mode", ["pool", "template", "truncate"])
def test_a_database_that_outlives_a_test_lets_others_undo(server: PostgresServer, ask: Ask, mode: str) -> None:
    roles = "SELECT count(*) FROM pg_roles WHERE rolname IN ('of_the_session', 'of_the_test')"
    with (
        PostgresDatabases(server, mode=mode, undo=False) as lasting,
        PostgresDatabases(server, mode=mode) as databases,
        lasting.database("session") as outer,
    ):
        with outer.connect() as connection:
            connection.execute("CREATE ROLE of_the_session")
        with databases.database("test") as inner, inner.connect() as connection:
            connection.execute("CREATE ROLE of_the_test")
        (left,) = databases.leftovers()
        assert (left.requester, left.what) == ("test", "a new role ('of_the_test') of the whole server")
        assert ask(server, roles) == [1]
        assert lasting.leftovers() == []
    ask(server, "DROP ROLE of_the_session")


@pytest.mark.parametrize("mode", ["template", "truncate"])
def test_a_test_may_end_every_connection(ask: Ask, server: PostgresServer, mode: str) -> None:
    others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with PostgresDatabases(server, migrate=schema, mode=mode) as databases:
        for _ in range(3):
            with databases.database("test_violent") as database, database.connect(autocommit=True) as connection:
                connection.execute(f"SELECT pg_terminate_backend(pid) {others}".encode())
            assert eventually(lambda: ask(server, CLONES) == []), "dropped though our connection for that was ended"
        with databases.database() as database:
            assert names(database) == ["seed"]
        assert databases.leftovers() == []


@pytest.mark.parametrize("mode", ["template", "truncate"])
def test_roles_do_not_leak_however_often_and_whoever_ends_our_connection(
    ask: Ask, server: PostgresServer, mode: str
) -> None:
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with PostgresDatabases(server, migrate=schema, mode=mode) as databases:
        for number in range(12):  # by then psycopg would prepare what is asked again and again
            with databases.database(f"test_{number}") as database, database.connect(autocommit=True) as connection:
                connection.execute("CREATE ROLE of_the_test")
                if number == 9:
                    connection.execute(others.encode())
            told = [(each.requester, each.what) for each in databases.leftovers() if "role" in each.what]
            assert told == [(f"test_{number}", "a new role ('of_the_test') of the whole server")]
            assert ask(server, "SELECT 1 FROM pg_roles WHERE rolname = 'of_the_test'") == []


@pytest.mark.parametrize("mode", LOCAL)
def test_every_connection_may_be_ended_between_tests(server: PostgresServer, ask: Ask, mode: str) -> None:
    others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    with PostgresDatabases(server, migrate=schema, mode=mode) as databases:
        for _ in range(3):
            with databases.database() as database, database.connect() as connection:
                assert connection.execute("SELECT name FROM users").fetchall() == [("seed",)]
            ask(server, f"SELECT pg_terminate_backend(pid, 5000) {others}")
    assert eventually(lambda: ask(server, CLONES) == [])


def test_one_that_is_kept_stays(databases: PostgresDatabases, ask: Ask, server: PostgresServer) -> None:
    database = databases.acquire("test_kept")
    add(database, "look at me")
    databases.release(database, keep=True)
    databases.close()
    assert ask(server, CLONES) == [database.name]
    with PostgresDatabases(server, migrate=schema, mode="template") as others, others.database():
        assert names(database) == ["seed", "look at me"], "no later process sweeps it away"
    ask(server, f"DROP DATABASE {database.name}")


def test_closing_drops_what_is_given_out_and_twice_is_fine(
    databases: PostgresDatabases, ask: Ask, server: PostgresServer
) -> None:
    database = databases.acquire()
    databases.close()
    assert ask(server, CLONES) == []
    databases.release(database)
    databases.close()


def test_giving_up_a_database_twice_is_fine(databases: PostgresDatabases) -> None:
    database = databases.acquire()
    databases.release(database)
    databases.release(database)


KILLED = """
import os, sys
from podjig.isolation.postgres.databases import PostgresDatabases
databases = PostgresDatabases(sys.argv[1], mode=sys.argv[2])
print(databases.acquire("killed").name, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.mark.parametrize("mode", LOCAL)
def test_what_a_killed_process_left_is_dropped_by_the_next(server: PostgresServer, ask: Ask, mode: str) -> None:
    command = [sys.executable, "-c", KILLED, server.url(server.dbname), mode]
    left = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    assert left in ask(server, CLONES)
    gone = (
        "SELECT count(*) FROM pg_stat_activity WHERE (application_name = 'podjig' OR starts_with(datname, 'podjig_'))"
        " AND pid <> pg_backend_pid()"
    )
    assert eventually(lambda: ask(server, gone) == [0])
    with PostgresDatabases(server, mode=mode) as databases, databases.database() as database:
        assert ask(server, CLONES) == [database.name]


@pytest.mark.parametrize("mode", LOCAL)
def test_what_is_kept_is_not_taken_for_left(server: PostgresServer, ask: Ask, mode: str) -> None:
    with PostgresDatabases(server, mode=mode) as databases:
        kept = databases.acquire("test_that_failed")
        databases.release(kept, keep=True)
    with PostgresDatabases(server, mode=mode) as databases, databases.database():
        assert kept.name in ask(server, CLONES)
    ask(server, f"DROP DATABASE {kept.name}")


def test_a_forked_child_has_databases_of_its_own(
    databases: PostgresDatabases, ask: Ask, server: PostgresServer
) -> None:
    with databases.database("parent") as database:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                with databases.database("child") as mine:
                    add(mine, "child")
                    right = names(mine) == ["seed", "child"] and mine.name != database.name
                databases.release(database)  # the parent's: no effect
                databases.close()
                status = 0 if right else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        add(database, "parent")
        assert names(database) == ["seed", "parent"]
        assert ask(server, CLONES) == [database.name]
    with databases.database() as database:
        assert names(database) == ["seed"]


# Bad input


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"mode": "magic"}, "unknown mode 'magic'"),
        ({"mode": ""}, "unknown mode ''"),
        ({"workers": 0}, "workers is 0"),
        ({"migrate": 7}, "7 is no migration"),
        ({"server": "mysql://x"}, "is no PostgreSQL server"),
    ],
)
def test_bad_values_are_refused_at_once(server: PostgresServer, given: dict[str, Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=says) as caught:
        PostgresDatabases(**{"server": server, **given})
    assert caught.value.hint


def test_a_container_must_run() -> None:
    with pytest.raises(NotStartedError):
        PostgresDatabases(PostgresContainer("postgres:17"))


def test_a_migration_that_fails_fails_each_test_but_runs_once_and_leaves_nothing(
    server: PostgresServer, ask: Ask
) -> None:
    runs = []

    def fails(connection: psycopg.Connection[Any]) -> None:
        runs.append(1)
        connection.execute("SELECT 1 / 0")

    everything = "SELECT datname FROM pg_database ORDER BY 1"
    before = ask(server, everything)
    with PostgresDatabases(server, migrate=fails, mode="template") as databases:
        for _ in range(2):
            with pytest.raises(MigrationError, match="division by zero"):
                databases.acquire()
    assert ask(server, everything) == before
    assert len(runs) == 1


@pytest.mark.parametrize("mode", MODES)
def test_too_few_connections_for_the_workers_are_counted(server: PostgresServer, mode: str) -> None:
    databases = PostgresDatabases(server, mode=mode, workers=50)
    with pytest.raises(IsolationError, match=r"50 x \(\d of podjig \+ \d of a test\)"):
        databases.acquire()
    databases.close()


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_is_gone_is_named(container: PostgresContainer, mode: str) -> None:
    with container.clone() as other:
        databases = PostgresDatabases(other, mode=mode)
        databases.release(databases.acquire())
        database = databases.acquire()
        name = other.get_container_info().name
    with pytest.raises(IsolationError, match=f"PostgreSQL in container {name}"):  # noqa: PT012  of a pool some are ready
        for _ in range(3):
            databases.acquire()
    databases.release(database)
    found = databases.leftovers()
    databases.close()
    found += databases.leftovers()
    assert found
    assert all("could not be" in each.what for each in found)


def test_what_never_is_asked_for_is_never_made(server: PostgresServer) -> None:
    def never(url: str) -> None:
        raise AssertionError

    for mode in MODES:
        PostgresDatabases(server, migrate=never, mode=mode).close()
