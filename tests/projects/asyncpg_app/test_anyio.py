"""The same with anyio's plugin."""

import asyncpg
import pytest
import redis.asyncio
from notes.store import Notes, cached_count

pytestmark = [pytest.mark.anyio, pytest.mark.integration]


@pytest.fixture
def anyio_backend():
    return "asyncio"  # asyncpg knows no other


@pytest.fixture
async def notes(podjig_postgres, anyio_backend):
    connection = await asyncpg.connect(podjig_postgres.dsn)
    yield Notes(connection)
    await connection.close()


@pytest.fixture
async def cache(podjig_redis, anyio_backend):
    async with redis.asyncio.Redis.from_url(podjig_redis.url) as client:
        yield client


async def test_notes_are_added(notes):
    await notes.add("buy milk", "call home")
    assert await notes.count() == 2


async def test_the_cache_is_empty_for_each_test(notes, cache):
    assert await cache.dbsize() == 0
    assert await cached_count(notes, cache) == 0
