"""Rolled back instead of on a database each: quicker, for tests that need no second connection."""

import asyncpg
import pytest
import pytest_asyncio
from notes.store import Notes
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from podjig import arollback

pytestmark = [pytest.mark.asyncio, pytest.mark.integration]


@pytest_asyncio.fixture
async def connection(run_database):
    connection = await asyncpg.connect(run_database.dsn)
    async with arollback(connection) as isolated:
        yield isolated
    await connection.close()


@pytest_asyncio.fixture
async def sessions(run_database):
    engine = create_async_engine(run_database.get_url("asyncpg"))
    async with arollback(engine) as isolated:
        yield async_sessionmaker(isolated)
    await engine.dispose()


@pytest.mark.parametrize("time", ["first", "second"])
async def test_each_finds_nothing(connection, time):
    notes = Notes(connection)
    assert await notes.count() == 0
    await notes.add("buy milk")
    assert await notes.count() == 1


async def test_a_transaction_that_fails_is_the_only_one_undone(connection):
    notes = Notes(connection)
    await notes.add("buy milk")
    with pytest.raises(asyncpg.NotNullViolationError):
        await notes.add("call home", None)
    assert await notes.count() == 1


@pytest.mark.parametrize("time", ["first", "second"])
async def test_sqlalchemys_sessions_commit(sessions, time):
    async with sessions.begin() as session:
        await session.execute(text("INSERT INTO notes (text) VALUES ('buy milk')"))
    async with sessions() as session:
        assert (await session.execute(text("SELECT count(*) FROM notes"))).scalar() == 1
