"""After a test, its database is what it was: however it was written to, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.databases import PostgresDatabases
from podjig.isolation.postgres.migration.choice import migration
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template

SCHEMA = """
    CREATE TABLE person (id serial PRIMARY KEY, name text, boss int REFERENCES person);
    CREATE TABLE "odd ""name" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person int REFERENCES person);
    CREATE SCHEMA other;
    CREATE TABLE other.log (what text);
    CREATE TABLE event (at date NOT NULL) PARTITION BY RANGE (at);
    CREATE TABLE event_old PARTITION OF event FOR VALUES FROM ('2000-01-01') TO ('2020-01-01');
    CREATE TABLE event_new PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2040-01-01');
    CREATE TABLE country (code text PRIMARY KEY, name text, size int GENERATED ALWAYS AS (length(name)) STORED);
    INSERT INTO country SELECT 'c' || n, 'country ' || n FROM generate_series(1, 50) n;
    CREATE TABLE city (country text REFERENCES country ON DELETE CASCADE, name text);
    INSERT INTO city VALUES ('c1', 'one'), ('c2', 'two');
    CREATE SEQUENCE counter START 7;
    CREATE UNLOGGED TABLE scratch (x int);
    CREATE FUNCTION record() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN INSERT INTO other.log VALUES (TG_OP); RETURN NULL; END';
    CREATE TRIGGER record AFTER INSERT OR DELETE ON person FOR EACH ROW EXECUTE FUNCTION record();
    CREATE FUNCTION hire(text) RETURNS int LANGUAGE sql AS 'INSERT INTO person (name) VALUES ($1) RETURNING id';
    CREATE MATERIALIZED VIEW names AS SELECT name FROM person;
"""

DIGEST = """
    SELECT 'person', p::text FROM person p UNION ALL SELECT 'odd', o::text FROM "odd ""name" o
    UNION ALL SELECT 'log', l::text FROM other.log l UNION ALL SELECT 'event', e::text FROM event e
    UNION ALL SELECT 'country', c::text FROM country c UNION ALL SELECT 'city', c::text FROM city c
    UNION ALL SELECT 'scratch', s::text FROM scratch s UNION ALL SELECT 'names', n::text FROM names n
    UNION ALL SELECT 'counter', c::text FROM (SELECT last_value, is_called FROM counter) c
    UNION ALL SELECT 'person_id', c::text FROM (SELECT last_value, is_called FROM person_id_seq) c
    UNION ALL SELECT 'odd_id', c::text FROM (SELECT last_value, is_called FROM "odd ""name_id_seq") c
    UNION ALL SELECT 'settings', setconfig::text FROM pg_db_role_setting
      WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
    UNION ALL SELECT 'large', oid::text FROM pg_largeobject_metadata
    UNION ALL SELECT 'relation', relname || coalesce(relacl::text, '') FROM pg_class
      WHERE relkind IN ('r', 'v', 'i') AND oid > 16384 AND relnamespace NOT IN (99, 11)
    UNION ALL SELECT 'function', proname || prosrc FROM pg_proc WHERE oid > 16384
    ORDER BY 1, 2
"""

# What tests do; those that are only rows leave the database in use, the others are DDL.
ROWS = [
    "SELECT 1",
    "INSERT INTO person (name) VALUES ('ada')",
    "INSERT INTO person (id, name, boss) VALUES (1, 'ada', NULL), (2, 'bob', 1)",
    "SELECT hire('ada')",
    "SELECT nextval('counter')",
    "SELECT setval('counter', 7, true)",
    "SELECT setval('counter', 500, false)",
    "INSERT INTO event VALUES ('2001-01-01'), ('2030-01-01')",
    'INSERT INTO person VALUES (9); INSERT INTO "odd ""name" (person) VALUES (9)',
    "DELETE FROM country WHERE code = 'c1'",
    "DELETE FROM country; DELETE FROM city",
    "UPDATE country SET name = name",
    "UPDATE country SET name = 'changed' WHERE code = 'c7'",
    "TRUNCATE country CASCADE",
    "TRUNCATE country CASCADE; INSERT INTO country SELECT 'c' || n, 'country ' || n FROM generate_series(1, 50) n",
    "INSERT INTO city VALUES ('c3', 'three')",
    "INSERT INTO scratch SELECT generate_series(1, 10)",
    "INSERT INTO person (name) SELECT 'p' || n FROM generate_series(1, 60000) n",
    "INSERT INTO person (name) VALUES ('ada'); TRUNCATE person RESTART IDENTITY CASCADE",
    "SET session_replication_role = replica; SET track_counts = off; INSERT INTO other.log VALUES ('hidden')",
    "CREATE TEMP TABLE mine (x int); INSERT INTO mine VALUES (1)",
    "CREATE TABLE more (); DROP TABLE more",
    "VACUUM FULL country",
    "ANALYZE",
]
OTHERS = [
    "CREATE TABLE more (x int)",
    "DROP TABLE city",
    "ALTER TABLE person ADD COLUMN age int",
    "ALTER SEQUENCE counter RESTART WITH 99",
    "CREATE OR REPLACE FUNCTION hire(text) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE INDEX ON person (name)",
    "ALTER TABLE person DISABLE TRIGGER ALL",
    "CREATE VIEW people AS SELECT * FROM person",
    "GRANT SELECT ON person TO pg_monitor",
    "ALTER ROLE CURRENT_USER IN DATABASE {name} SET work_mem = '1MB'",
    "INSERT INTO person (name) VALUES ('ada'); REFRESH MATERIALIZED VIEW names",
    "SELECT lo_create(0)",
    "CREATE EXTENSION citext",
    "DROP SCHEMA other CASCADE",
]


def migrate(database: PostgresDatabase) -> None:
    with database.connect() as connection:
        connection.execute(SCHEMA)


@pytest.fixture(scope="module")
def databases(server: PostgresServer) -> Iterator[PostgresDatabases]:
    """One for all tests of this module: each finds what the one before left."""
    ensure_template(server, migration(migrate))
    with PostgresDatabases(server, migrate=migrate, mode="truncate") as databases:
        yield databases


@pytest.fixture(scope="module")
def clean(server: PostgresServer, databases: PostgresDatabases) -> list[Any]:
    """What a database looks like as migrated."""
    with PostgresDatabases(server, migrate=migrate, mode="template") as others, others.database() as database:
        return digest(database)


def digest(database: PostgresDatabase) -> list[Any]:
    with database.connect() as connection:
        return connection.execute(DIGEST).fetchall()


def run(database: PostgresDatabase, statements: str) -> None:
    with database.connect(autocommit=True) as connection:
        for statement in statements.split("; "):
            connection.execute(statement.replace("{name}", database.name).encode())


@pytest.mark.parametrize("statements", ROWS)
def test_rows_and_sequences_are_brought_back(databases: PostgresDatabases, clean: list[Any], statements: str) -> None:
    with databases.database() as first:
        assert digest(first) == clean
        run(first, statements)
    with databases.database() as second:
        assert digest(second) == clean
        if "ALTER" not in statements and "FULL" not in statements:
            assert second.name == first.name, "it was dropped, which was not necessary"


@pytest.mark.parametrize("statements", OTHERS)
def test_after_ddl_the_next_test_has_another_database(
    databases: PostgresDatabases, clean: list[Any], statements: str
) -> None:
    with databases.database() as first:
        run(first, statements)
    with databases.database() as second:
        assert digest(second) == clean


def test_it_works_again_and_again_in_the_same_database(databases: PostgresDatabases, clean: list[Any]) -> None:
    names = set()
    for number in range(30):
        with databases.database() as database:
            names.add(database.name)
            run(database, ROWS[number % 18])
    with databases.database() as database:
        assert digest(database) == clean
    assert len(names) == 1


def test_idle_connections_may_stay_open(databases: PostgresDatabases, clean: list[Any]) -> None:
    with databases.database() as first:
        staying = first.connect(autocommit=True)
        staying.execute("INSERT INTO person (name) VALUES ('ada')")
    with databases.database() as second:
        assert second.name == first.name
        assert digest(second) == clean
        assert staying.execute("SELECT count(*) FROM person").fetchone() == (0,)
    staying.close()


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (["BEGIN", "INSERT INTO person (name) VALUES ('ada')"], "an idle transaction"),
        (["SELECT pg_advisory_lock(1)"], "an open connection"),
        (["BEGIN", "INSERT INTO person VALUES (1)", "PREPARE TRANSACTION 'mine'"], "prepared transaction ('mine')"),
        (["SELECT pg_create_logical_replication_slot('mine', 'pgoutput')"], "replication slot ('mine')"),
    ],
)
def test_what_is_left_in_the_middle_blocks_nobody_and_is_told_of(
    server: PostgresServer, clean: list[Any], statements: list[str], told: str
) -> None:
    with PostgresDatabases(server, migrate=migrate, mode="truncate") as databases:
        with databases.database("test_of_mine") as first:
            connection = first.connect(autocommit=True)
            for statement in statements:
                connection.execute(statement.encode())
            if "mine" in told:
                connection.close()
        with databases.database() as second:
            assert digest(second) == clean
        databases.close()
        left = databases.leftovers()
        assert [each.requester for each in left] == ["test_of_mine"], left
        assert told in left[0].what
    connection.close()


def test_a_connection_that_is_just_being_closed_is_nothing_to_tell(server: PostgresServer) -> None:
    with PostgresDatabases(server, migrate=migrate, mode="truncate") as databases:
        names = set()
        for _ in range(20):
            with databases.database() as database:
                names.add(database.name)
                connection = database.connect()
                connection.execute("INSERT INTO person (name) VALUES ('ada')")
                connection.close()
        assert len(names) == 1
        assert databases.leftovers() == []


def test_two_at_once_are_two_databases(databases: PostgresDatabases) -> None:
    with databases.database() as one, databases.database() as other:
        assert one.name != other.name


def test_a_database_that_was_dropped_is_replaced(
    databases: PostgresDatabases, server: PostgresServer, clean: list[Any]
) -> None:
    with databases.database() as database, server.connect() as connection:
        connection.execute(f"DROP DATABASE {database.name} WITH (FORCE)".encode())
    with databases.database() as database:
        assert digest(database) == clean


def test_what_is_kept_can_be_looked_at(databases: PostgresDatabases, server: PostgresServer) -> None:
    kept = databases.acquire()
    run(kept, "INSERT INTO scratch VALUES (42)")
    databases.release(kept, keep=True)
    with databases.database() as database:
        assert database.name != kept.name
    with psycopg.connect(kept.dsn) as connection:
        assert connection.execute("SELECT x FROM scratch").fetchall() == [(42,)]
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {kept.name} WITH (FORCE)".encode())
