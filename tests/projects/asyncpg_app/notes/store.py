"""Notes, by asyncpg."""


class Notes:
    """Keeps notes on a connection of asyncpg's, each with the others in one transaction or not at all."""

    def __init__(self, connection):
        self._connection = connection

    async def add(self, *texts):
        """Add notes: all of them, or, if one is refused, none."""
        async with self._connection.transaction():
            for text in texts:
                await self._connection.execute("INSERT INTO notes (text) VALUES ($1)", text)

    async def count(self):
        """Return how many there are."""
        return await self._connection.fetchval("SELECT count(*) FROM notes")


async def cached_count(notes, cache):
    """Return how many notes there are, as of at most a minute ago."""
    known = await cache.get("notes:count")
    if known is None:
        known = await notes.count()
        await cache.set("notes:count", known, ex=60)
    return int(known)
