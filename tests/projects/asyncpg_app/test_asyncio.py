"""With pytest-asyncio: a database for each test, by asyncpg, by SQLAlchemy and by psycopg; and a Redis."""

import asyncpg
import pytest
import pytest_asyncio
import redis.asyncio
from notes.store import Notes, cached_count
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

pytestmark = [pytest.mark.asyncio, pytest.mark.integration]


@pytest_asyncio.fixture
async def notes(podjig_postgres):
    connection = await asyncpg.connect(podjig_postgres.dsn)
    yield Notes(connection)
    await connection.close()


@pytest_asyncio.fixture
async def cache(podjig_redis):
    async with redis.asyncio.Redis.from_url(podjig_redis.url) as client:
        yield client


async def test_notes_are_added(notes):
    await notes.add("buy milk", "call home")
    assert await notes.count() == 2


async def test_one_that_is_refused_takes_the_others_with_it(notes):
    with pytest.raises(asyncpg.NotNullViolationError):
        await notes.add("buy milk", None)
    assert await notes.count() == 0


async def test_the_number_is_a_minute_old_at_most(notes, cache):
    assert await cached_count(notes, cache) == 0
    await notes.add("buy milk")
    assert await cached_count(notes, cache) == 0
    assert 0 < await cache.ttl("notes:count") <= 60


async def test_sqlalchemy_on_asyncpg(podjig_postgres):
    engine = create_async_engine(podjig_postgres.get_url("asyncpg"))
    async with engine.begin() as connection:
        await connection.execute(text("INSERT INTO notes (text) VALUES ('buy milk')"))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT text FROM notes"))).scalars().all() == ["buy milk"]
    await engine.dispose()


async def test_psycopg(podjig_postgres):
    async with await podjig_postgres.aconnect() as connection:
        assert await (await connection.execute("SELECT count(*) FROM notes")).fetchone() == (0,)
