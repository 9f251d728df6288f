"""A command that makes the schema, whatever it is written in."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from podjig.errors import DefinitionError, MigrationError
from podjig.isolation.postgres.migration.digest import Digest
from podjig.services.run import run_token

if TYPE_CHECKING:
    from podjig.isolation.postgres.database import PostgresDatabase

_LINES = 40


class CommandMigration:
    """Runs a command that finds its database in the environment: ``DATABASE_URL``, and libpq's ``PGHOST`` and so on."""

    def __init__(self, words: Sequence[str], *, depends: tuple[Path, ...] = ()) -> None:
        """Look for the program.

        Raises:
            DefinitionError: There is none of that name.
        """
        self._words = tuple(words)
        self._depends = depends
        if shutil.which(self._words[0]) is None:
            raise DefinitionError(
                f"the migration's command {self._words[0]!r} is not found",
                hint="a command is a list of words, its program first; check PATH",
            )

    @property
    def description(self) -> str:
        """The command."""
        return f"the command '{shlex.join(self._words)}'"

    @property
    def key(self) -> str:
        """A hash of the words, and of what it was said to depend on; where that is nothing, each run has its own."""
        digest = Digest("command")
        digest.add(*self._words)
        if not self._depends:
            digest.add(run_token())
        digest.add_files(self._depends)
        return digest.key

    def run(self, database: PostgresDatabase) -> None:
        """Run it to its end."""
        try:
            done = subprocess.run(
                self._words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, **_variables(database)},
                check=False,
            )
        except OSError as error:
            raise MigrationError(f"the migration by {self.description} cannot be run: {error}") from error
        if done.returncode:
            output = done.stdout.decode("utf-8", "replace").splitlines()[-_LINES:]
            raise MigrationError(
                "\n".join([f"the migration by {self.description} failed with exit status {done.returncode}", *output])
            )


def _variables(database: PostgresDatabase) -> dict[str, str]:
    """Return by what a command finds its database."""
    return {
        "DATABASE_URL": database.dsn,
        "PGHOST": database.host,
        "PGPORT": str(database.port),
        "PGUSER": database.user,
        "PGPASSWORD": database.password,
        "PGDATABASE": database.name,
    }
