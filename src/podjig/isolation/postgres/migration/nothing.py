"""No migration: an empty database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from podjig.isolation.postgres.migration.digest import Digest

if TYPE_CHECKING:
    from podjig.isolation.postgres.database import PostgresDatabase


class NoMigration:
    """Leaves the database as the server makes it."""

    key: str = Digest("nothing").key
    description = "no migration"

    def run(self, database: PostgresDatabase) -> None:
        """Do nothing."""
