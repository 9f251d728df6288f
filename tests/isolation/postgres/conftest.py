"""Servers shared by all tests of a worker, and what tests ask them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from podjig import PostgresContainer
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.names import database_name
from podjig.isolation.postgres.server import PostgresServer

Ask = Callable[..., list[Any]]


@pytest.fixture(scope="session")
def container() -> Iterator[PostgresContainer]:
    """The newest server; room for prepared transactions and replication slots, so that tests can leave them behind."""
    pg = PostgresContainer("postgres:17").with_server_settings(max_prepared_transactions=10, wal_level="logical")
    with pg as started:
        yield started


@pytest.fixture(scope="session")
def old_container() -> Iterator[PostgresContainer]:
    """An older server, with a user and a database of other names."""
    with PostgresContainer("postgres:15", username="ada", password="p@ss:wörd", dbname="my db") as started:
        yield started


@pytest.fixture(scope="session")
def server(container: PostgresContainer) -> PostgresServer:
    return PostgresServer.of(container)


@pytest.fixture(scope="session")
def old_server(old_container: PostgresContainer) -> PostgresServer:
    return PostgresServer.of(old_container)


@pytest.fixture(params=["postgres:15", "postgres:17"])
def each_server(request: pytest.FixtureRequest) -> PostgresServer:
    """Each of them in turn."""
    found: PostgresServer = request.getfixturevalue("server" if request.param == "postgres:17" else "old_server")
    return found


@pytest.fixture
def ask() -> Ask:
    """Run one statement in a database of a server; return the first column of its rows."""

    def run(server: PostgresServer, statement: str, dbname: str | None = None) -> list[Any]:
        with server.connect(dbname) as connection:
            cursor = connection.execute(statement.encode())
            return [row[0] for row in cursor] if cursor.description else []

    return run


@pytest.fixture
def unchanged(server: PostgresServer, ask: Ask) -> Iterator[None]:
    """Proof that a test left no database behind, nor a connection of podjig's."""
    list_them = "SELECT datname FROM pg_database ORDER BY 1"
    before = ask(server, list_them)
    yield
    assert ask(server, list_them) == before, "the test left databases"


@pytest.fixture
def empty(server: PostgresServer) -> Iterator[PostgresDatabase]:
    """An empty database to migrate."""
    database = PostgresDatabase(server, database_name("empty"))
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {database.name}".encode())
        yield database
        assert drop(connection, database.name) == []


Tables = Callable[[PostgresDatabase], list[str]]


@pytest.fixture
def tables() -> Tables:
    """List the tables of a database."""

    def run(database: PostgresDatabase) -> list[str]:
        with database.connect() as connection:
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            return [name for (name,) in rows]

    return run
