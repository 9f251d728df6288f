"""What arollback() takes back of SQLAlchemy's asynchronous engines, whatever their driver."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from podjig.errors import DefinitionError
from podjig.isolation.postgres.rollback import arollback, rollback
from podjig.isolation.postgres.server import PostgresServer

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def dbname(server: PostgresServer) -> Iterator[str]:
    """A database with a table, for this module."""
    name = "rollback_of_asynchronous_engines"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    with server.connect(name) as connection:
        connection.execute("CREATE TABLE person (name text PRIMARY KEY)")
    yield name
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(autouse=True)
def nothing_kept(server: PostgresServer, dbname: str) -> Iterator[None]:
    yield
    with server.connect(dbname) as connection:
        left = connection.execute("SELECT name FROM person").fetchall()
        connection.execute("TRUNCATE person")
    assert left == [], "something was kept"


@pytest.fixture(params=["psycopg", "asyncpg"])
async def engine(request: pytest.FixtureRequest, server: PostgresServer, dbname: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(server.url(dbname, request.param))
    yield engine
    await engine.dispose()


class TestAnEngine:
    async def test_keeps_nothing_of_what_was_committed(self, engine: AsyncEngine) -> None:
        async with arollback(engine) as it:
            assert it is engine
            async with engine.begin() as connection:
                await connection.execute(text("INSERT INTO person VALUES ('ada')"))
            make = async_sessionmaker(engine)
            async with make.begin() as session:
                await session.execute(text("INSERT INTO person VALUES ('bob')"))
            async with AsyncSession(engine) as session:
                with pytest.raises(IntegrityError):
                    await session.execute(text("INSERT INTO person VALUES ('ada')"))
                await session.rollback()
                await session.execute(text("INSERT INTO person VALUES ('cyd')"))
            async with engine.connect() as connection:
                found = await connection.execute(text("SELECT name FROM person ORDER BY 1"))
                assert list(found.scalars()) == ["ada", "bob"]
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT name FROM person"))).all() == []

    @pytest.mark.parametrize("what", ["connection", "sessionmaker", "session"])
    async def test_takes_part_by_its_connections_and_sessions(self, engine: AsyncEngine, what: str) -> None:
        async with engine.connect() as connection:
            make = async_sessionmaker(connection if what == "connection" else engine)
            session = make()
            target: Any = {"connection": connection, "sessionmaker": make, "session": session}[what]
            async with arollback(target) as same:
                assert same is target
                await session.execute(text("INSERT INTO person VALUES ('ada')"))
                await session.commit()
                found = await session.execute(text("SELECT name FROM person"))
                assert list(found.scalars()) == ["ada"]
                await session.close()

    async def test_that_is_synchronous_is_refused(
        self, server: PostgresServer, dbname: str, engine: AsyncEngine
    ) -> None:
        other = create_engine(server.url(dbname, "psycopg"))
        with pytest.raises(DefinitionError, match=r"synchronous\n.*use rollback"):
            async with arollback(other):
                pass
        with pytest.raises(DefinitionError, match=r"asynchronous\n.*arollback"), rollback(engine):
            pass
