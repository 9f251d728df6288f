"""What arollback() takes back, of each asynchronous driver."""

# ruff: noqa: PT012  blocks that end in an exception are what is tested

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import psycopg
import pytest

from podjig.errors import DefinitionError, IsolationError
from podjig.isolation.postgres.rollback import arollback, rollback
from podjig.isolation.postgres.server import PostgresServer

SCHEMA = """
    CREATE TABLE person (name text PRIMARY KEY);
    CREATE TABLE pet (name text PRIMARY KEY, owner text REFERENCES person DEFERRABLE INITIALLY DEFERRED);
"""

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def dbname(server: PostgresServer) -> Iterator[str]:
    """A database with two tables, for this module."""
    name = "rollback_of_the_asynchronous"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    with server.connect(name) as connection:
        connection.execute(SCHEMA.encode())
    yield name
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(autouse=True)
def nothing_kept(server: PostgresServer, dbname: str) -> Iterator[None]:
    yield
    with server.connect(dbname) as connection:
        left = connection.execute("SELECT name FROM person").fetchall()
        connection.execute("TRUNCATE person, pet")
    assert left == [], "something was kept"


@pytest.fixture
async def connection(server: PostgresServer, dbname: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(server.url(dbname))
    yield connection
    await connection.close()


class TestAPsycopgConnection:
    async def test_keeps_nothing(self, server: PostgresServer, dbname: str) -> None:
        async with await psycopg.AsyncConnection.connect(**server.parameters(dbname)) as connection:
            async with arollback(connection) as it:
                assert isinstance(it, psycopg.AsyncConnection)
                await it.execute("INSERT INTO person VALUES ('ada')")
                await it.commit()
                await it.execute("INSERT INTO person VALUES ('bob')")
                await it.rollback()
                async with it.transaction():
                    await it.execute("INSERT INTO person VALUES ('cyd')")
                with pytest.raises(psycopg.errors.UniqueViolation):
                    await it.execute("INSERT INTO person VALUES ('cyd')")
                await it.rollback()
                async with it:
                    cursor = await it.execute("SELECT name FROM person ORDER BY 1")
                    assert await cursor.fetchall() == [("ada",), ("cyd",)]
                assert it.closed
            assert not connection.closed

    async def test_is_no_target_of_the_other(self, server: PostgresServer, dbname: str) -> None:
        async with await psycopg.AsyncConnection.connect(**server.parameters(dbname)) as connection:
            with pytest.raises(DefinitionError, match="impossible for psycopg"), rollback(connection):
                pass


class TestAnAsyncpgConnection:
    async def test_keeps_nothing_of_what_was_committed(self, connection: asyncpg.Connection[Any]) -> None:
        async with arollback(connection) as it:
            assert it is connection
            await add(it, "ada")
            async with it.transaction(isolation="serializable"):
                await add(it, "bob")
                with pytest.raises(asyncpg.UniqueViolationError):
                    async with it.transaction():
                        await add(it, "cyd")
                        await add(it, "ada")
            with pytest.raises(ZeroDivisionError):
                async with it.transaction():
                    await add(it, "dan")
                    raise ZeroDivisionError
            assert await people(it) == ["ada", "bob"]
        assert await people(connection) == []
        assert not connection.is_in_transaction()

    async def test_loses_only_the_failed_statement_outside_transactions(
        self, connection: asyncpg.Connection[Any]
    ) -> None:
        async with arollback(connection) as it:
            await add(it, "ada")
            with pytest.raises(asyncpg.UniqueViolationError):
                await add(it, "ada")
            with pytest.raises(asyncpg.UndefinedColumnError):
                await it.fetch("SELECT nonsense FROM person")
            await it.copy_records_to_table("person", records=[("bob",)])
            await it.executemany("INSERT INTO person VALUES ($1)", [("cyd",)])
            assert await people(it) == ["ada", "bob", "cyd"]

    async def test_guards_prepared_statements_too(self, connection: asyncpg.Connection[Any]) -> None:
        async with arollback(connection) as it:
            insert = await it.prepare("INSERT INTO person VALUES ($1) RETURNING name")
            assert await insert.fetchval("ada") == "ada"
            with pytest.raises(asyncpg.UniqueViolationError):
                await insert.fetchrow("ada")
            with pytest.raises(asyncpg.UndefinedColumnError):
                await it.prepare("SELECT nonsense FROM person")
            await insert.executemany([("bob",), ("cyd",)])
            async with it.transaction():
                cursor = await (await it.prepare("SELECT name FROM person ORDER BY 1")).cursor()
                assert [row["name"] for row in await cursor.fetch(9)] == ["ada", "bob", "cyd"]
            assert await people(it) == ["ada", "bob", "cyd"]
        assert await (await connection.prepare("SELECT 1")).fetchval() == 1
        assert await insert.fetch("dan")
        await connection.execute("DELETE FROM person")

    async def test_fails_inside_a_transaction_until_its_end(self, connection: asyncpg.Connection[Any]) -> None:
        async with arollback(connection) as it:
            block = it.transaction()
            await block.start()
            await add(it, "ada")
            with pytest.raises(asyncpg.UniqueViolationError):
                await add(it, "ada")
            with pytest.raises(asyncpg.InFailedSQLTransactionError):
                await people(it)
            await block.rollback()
            assert await people(it) == []

    async def test_begins_and_ends_transactions_by_sql(self, connection: asyncpg.Connection[Any]) -> None:
        async with arollback(connection) as it:
            await it.execute("begin")
            await add(it, "ada")
            await it.execute("COMMIT TRANSACTION;")
            await it.execute("START TRANSACTION")
            await add(it, "bob")
            await it.execute("rollback")
            assert await people(it) == ["ada"]

    async def test_checks_deferred_constraints_when_it_commits(self, connection: asyncpg.Connection[Any]) -> None:
        async with arollback(connection) as it:
            for _ in range(2):
                with pytest.raises(asyncpg.ForeignKeyViolationError):
                    async with it.transaction():
                        await it.execute("INSERT INTO pet VALUES ('rex', 'nobody')")
                with pytest.raises(asyncpg.ForeignKeyViolationError):
                    await it.execute("INSERT INTO pet VALUES ('rex', 'nobody')")
            assert await it.fetch("SELECT * FROM pet") == []

    async def test_of_a_pool_can_be_given(self, server: PostgresServer, dbname: str) -> None:
        async with asyncpg.create_pool(server.url(dbname), min_size=1, max_size=1) as pool:
            async with pool.acquire() as connection, arollback(connection) as it:
                await add(it, "ada")
                async with it.transaction():
                    await add(it, "bob")
            async with pool.acquire() as connection:
                assert await people(connection) == []

    async def test_says_that_it_was_ended_by_sql(self, connection: asyncpg.Connection[Any]) -> None:
        with pytest.raises(IsolationError, match="ended by a COMMIT"):
            async with arollback(connection) as it:
                await it.execute("SELECT 1; COMMIT")
        assert not connection.is_in_transaction()
        async with connection.transaction():
            assert await people(connection) == []

    async def test_must_have_no_transaction_open(self, connection: asyncpg.Connection[Any]) -> None:
        async with connection.transaction():
            with pytest.raises(DefinitionError, match="transaction open"):
                async with arollback(connection):
                    pass


async def add(connection: Any, name: str) -> None:
    await connection.execute("INSERT INTO person VALUES ($1)", name)


async def people(connection: Any) -> list[str]:
    fetch: Callable[[str], Awaitable[list[Any]]] = connection.fetch
    return [row["name"] for row in await fetch("SELECT name FROM person ORDER BY 1")]
