"""What every kind of migration can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from podjig.isolation.postgres.database import PostgresDatabase


@runtime_checkable
class Migration(Protocol):
    """Turns an empty database into one with a schema."""

    @property
    def key(self) -> str:
        """Sixteen hexadecimal digits that change with whatever the schema is made of."""
        ...

    @property
    def description(self) -> str:
        """What it is, for messages: ``"the SQL files schema.sql, seed.sql"``."""
        ...

    def run(self, database: PostgresDatabase) -> None:
        """Make the schema, and leave no connection open that could be closed.

        Raises:
            MigrationError: It failed.
        """
        ...
