"""A server made as new: what tests changed is undone, or told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from podjig import ContainerError, GenericContainer, PostgresContainer, PostgresDatabases, RedisContainer
from podjig.services.postgres_state import TEMPLATES


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[PostgresContainer, str]]:
    script = tmp_path_factory.mktemp("init") / "init.sql"
    script.write_text(
        "CREATE TABLE made_at_first (id int); CREATE SEQUENCE numbers; CREATE ROLE reader;\n"
        "CREATE DATABASE second; GRANT SELECT ON made_at_first TO reader;"
    )
    with PostgresContainer("postgres:17", driver=None).with_init_script(script) as server:
        yield server, server.remember()


def run(server: PostgresContainer, *statements: str, dbname: str = "test") -> list[tuple[object, ...]]:
    url = server.get_connection_url().rpartition("/")[0] + f"/{dbname}"
    with psycopg.connect(url, autocommit=True) as connection:
        *before, last = statements
        for statement in before:
            connection.execute(statement)
        cursor = connection.execute(last)
        return cursor.fetchall() if cursor.description else []


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE mine (id int)"],
        ["INSERT INTO made_at_first VALUES (1)"],
        ["DROP TABLE made_at_first"],
        ["SELECT nextval('numbers')"],
        ["CREATE DATABASE mine"],
        ["CREATE DATABASE mine IS_TEMPLATE true"],
        ["CREATE ROLE writer LOGIN", "GRANT ALL ON made_at_first TO writer", "ALTER DATABASE test OWNER TO writer"],
        ["CREATE ROLE owner", "CREATE DATABASE mine OWNER owner"],
        ["ALTER SYSTEM SET work_mem = '1MB'", "SELECT pg_reload_conf()"],
        ["ALTER DATABASE test SET work_mem = '1MB'"],
        ["DROP EXTENSION plpgsql CASCADE"],
    ],
    ids=lambda statements: statements[0][:40],
)
def test_what_a_test_changes_is_undone(postgres: tuple[PostgresContainer, str], statements: list[str]) -> None:
    server, new = postgres
    run(server, *statements)
    new = server.reset(new)
    databases = {name for (name,) in run(server, "SELECT datname FROM pg_database")}
    assert databases == {"test", "second", "postgres", "template0", "template1", f"{TEMPLATES}new"}
    assert run(server, "SELECT count(*) FROM made_at_first") == [(0,)]
    assert run(server, "SELECT last_value, is_called FROM numbers") == [(1, False)]
    assert run(server, "SELECT to_regclass('mine')") == [(None,)]
    assert run(server, "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1") == [("reader",), ("test",)]
    assert run(server, "SHOW work_mem") == [("4MB",)]
    assert run(server, "SELECT extname FROM pg_extension") == [("plpgsql",)]
    assert run(server, "SELECT has_table_privilege('reader', 'made_at_first', 'SELECT')") == [(True,)]
    server.reset(new)


def test_sessions_left_open_are_ended(postgres: tuple[PostgresContainer, str]) -> None:
    server, new = postgres
    with psycopg.connect(server.get_connection_url()) as left:
        left.execute("INSERT INTO made_at_first VALUES (1)")
        server.reset(new)
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")
    assert run(server, "SELECT count(*) FROM made_at_first") == [(0,)]


def test_templates_stay_with_the_roles_that_they_need(postgres: tuple[PostgresContainer, str]) -> None:
    server, new = postgres
    name = f"{TEMPLATES}0123456789abcdef"
    run(server, f"CREATE DATABASE {name} IS_TEMPLATE true", "CREATE ROLE migrated")
    run(server, "CREATE TABLE migrated_table (id int)", "ALTER TABLE migrated_table OWNER TO migrated", dbname=name)
    new = server.reset(new)
    assert run(server, "SELECT tableowner FROM pg_tables WHERE tablename = 'migrated_table'", dbname=name) == [
        ("migrated",)
    ]
    run(server, f"ALTER DATABASE {name} IS_TEMPLATE false", f"DROP DATABASE {name}", "DROP ROLE migrated")


RUNS: list[str] = []


def with_roles(connection: psycopg.Connection[object]) -> None:
    RUNS.append("with_roles")
    connection.execute("CREATE TABLE sheet (x int); CREATE ROLE clerk LOGIN; CREATE ROLE guest")
    connection.execute("GRANT SELECT ON sheet TO clerk")
    connection.execute("ALTER SYSTEM SET work_mem = '7MB'")


def plain(connection: psycopg.Connection[object]) -> None:
    RUNS.append("plain")
    connection.execute("CREATE TABLE sheet (x int)")


def test_a_migration_that_made_roles_runs_again_and_another_does_not(
    postgres: tuple[PostgresContainer, str],
) -> None:
    server, new = postgres
    for _ in range(2):
        for migrate in (with_roles, plain):
            with PostgresDatabases(server, migrate=migrate, mode="template") as databases, databases.database():
                pass
        roles = "SELECT rolname FROM pg_roles WHERE rolname IN ('clerk', 'guest') ORDER BY 1"
        assert run(server, roles) == [("clerk",), ("guest",)]
        new = server.reset(new)
        assert run(server, roles) == []
        assert run(server, "SHOW work_mem") == [("4MB",)]
    assert RUNS == ["with_roles", "plain", "with_roles"]
    (left,) = run(server, f"SELECT datname FROM pg_database WHERE datname ~ '^{TEMPLATES}[0-9a-f]'")
    run(server, f"ALTER DATABASE {left[0]} IS_TEMPLATE false", f"DROP DATABASE {left[0]}")


@pytest.mark.parametrize(
    ("statements", "dbname", "said"),
    [
        (["CREATE TABLE mine (id int)"], "postgres", "another database|other than the main one"),
        (["CREATE TABLE mine (id int)"], "second", "other than the main one"),
        (["CREATE TABLE mine (id int)"], "template1", "other than the main one"),
        (["DROP DATABASE second"], "test", "roles or databases"),
        (["ALTER ROLE reader LOGIN PASSWORD 'x'"], "test", "roles or databases"),
        (["ALTER ROLE test SET work_mem = '1MB'"], "test", "roles or databases"),
        (["CREATE ROLE r2", "GRANT reader TO test"], "test", "roles or databases"),
        (["SELECT pg_create_physical_replication_slot('mine')"], "test", "replication slot"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_undone_is_told(statements: list[str], dbname: str, said: str) -> None:
    with PostgresContainer("postgres:17", driver=None) as server:
        run(server, "CREATE ROLE reader", "CREATE DATABASE second")
        new = server.remember()
        run(server, *statements, dbname=dbname)
        with pytest.raises(ContainerError, match=said):
            server.reset(new)


def test_another_server_than_the_remembered_one_is_not_touched(postgres: tuple[PostgresContainer, str]) -> None:
    _, new = postgres
    with PostgresContainer("postgres:17", driver=None) as other:
        run(other, "CREATE DATABASE precious")
        with pytest.raises(ContainerError, match="another server"):
            other.reset(new)
        assert run(other, "SELECT 1 FROM pg_database WHERE datname = 'precious'") == [(1,)]


@pytest.fixture(scope="module")
def redis() -> Iterator[tuple[RedisContainer, str]]:
    with RedisContainer("redis:8", password="secret") as server:
        yield server, server.remember()


@pytest.mark.parametrize("command", ["SET a b", "CONFIG SET maxmemory 1000000", "SCRIPT LOAD return", "SUBSCRIBE x"])
def test_what_a_test_changes_in_redis_is_undone(redis: tuple[RedisContainer, str], command: str) -> None:
    server, new = redis
    with server.get_client(db=3, decode_responses=True) as client:
        if command == "SUBSCRIBE x":
            client.pubsub().subscribe("x")
        elif not command.startswith("SCRIPT"):
            client.execute_command(*command.split())
        server.reset(new)
        assert client.dbsize() == 0
        assert client.config_get("maxmemory") == {"maxmemory": "0"}
        assert client.pubsub_channels() == []
    server.reset(new)


def test_what_cannot_be_undone_in_redis_is_told() -> None:
    with RedisContainer("redis:8") as server:
        new = server.remember()
        with server.get_client() as client:
            client.acl_setuser("mine", enabled=True)
        with pytest.raises(ContainerError, match="users, modules or replication"):
            server.reset(new)
        server.restart(timeout=0)
        with pytest.raises(ContainerError, match="another server"):
            server.reset(new)


def test_an_image_that_is_not_known_cannot_be_made_as_new(tmp_path: Path) -> None:
    assert not GenericContainer.can_reset
    with pytest.raises(ContainerError, match="cannot be made as new"):
        GenericContainer("busybox").remember()
