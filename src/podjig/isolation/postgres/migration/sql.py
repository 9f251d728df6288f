"""Plain SQL files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podjig.errors import DefinitionError, MigrationError
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.migration.digest import Digest, content, existing, files_below

if TYPE_CHECKING:
    from psycopg import Connection, Error

    from podjig.isolation.postgres.database import PostgresDatabase

_COPY = re.compile(rb"^[ \t]*COPY\b[^;]*\bFROM\s+stdin\b", re.IGNORECASE | re.MULTILINE)
_OF_PSQL = re.compile(rb"^\\(?!(un)?restrict\b)(\w+|!)[^\n]*", re.MULTILINE)
_RESTRICT = re.compile(rb"^\\(un)?restrict\b[^\n]*", re.MULTILINE)
"""What ``pg_dump`` writes around a dump since 2025, to keep psql from running commands in it."""

_BOM = b"\xef\xbb\xbf"


class SqlMigration:
    """Runs SQL files, each as a whole and in one transaction unless it has its own."""

    def __init__(self, paths: Sequence[Path], *, depends: tuple[Path, ...] = ()) -> None:
        """Look for the files.

        Args:
            paths: Files, and folders of them.
            depends: What else its content depends on.

        Raises:
            DefinitionError: One does not exist, or there is no SQL file in a folder.
        """
        self._given = existing(paths, "the SQL file")
        self._depends = depends
        self.files = tuple(file for path in self._given for file in _files_of(path))

    @property
    def description(self) -> str:
        """The files' names, or the folder's."""
        names = ", ".join(path.name for path in self._given)
        return f"the SQL {'file' if len(self._given) == 1 and self._given[0].is_file() else 'files'} {names}"

    @property
    def key(self) -> str:
        """A hash of the files' content, in their order."""
        digest = Digest("sql")
        digest.add_files(self.files)
        digest.add_files(self._depends)
        return digest.key

    def run(self, database: PostgresDatabase) -> None:
        """Run them, one after another."""
        with closing(database.connect(autocommit=True)) as connection:
            for file in self.files:
                _run(connection, file)


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [file for file in files_below(path, (".sql",)) if not file.name.endswith(".down.sql")]
    if not found:
        raise DefinitionError(
            f"no .sql file in the folder {str(path)!r}", hint="check the path; of Alembic, give the alembic.ini"
        )
    return sorted(found, key=lambda file: [_natural(part) for part in file.relative_to(path).parts])


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Return what to sort a name by, so that ``V2`` comes before ``V10``."""
    parts = [part for part in re.split(r"(\d+)", name) if part]
    return [(False, int(part), "") if part.isdecimal() else (True, 0, part) for part in parts]


def _run(connection: Connection[Any], file: Path) -> None:
    text = content(file).removeprefix(_BOM)
    if found := _COPY.search(text):
        raise MigrationError(
            f"{file}, line {_line(text, found.start())}: COPY ... FROM stdin is not supported",
            hint="dump with 'pg_dump --inserts', or give the command: ['psql', '-v', 'ON_ERROR_STOP=1', '-f', ...]",
        )
    if found := _OF_PSQL.search(text):
        raise MigrationError(
            f"{file}, line {_line(text, found.start())}: {found.group().decode(errors='replace')!r} is a"
            " command of psql's, not SQL",
            hint="give the command: ['psql', '-v', 'ON_ERROR_STOP=1', '-f', ...]",
        )
    text = _RESTRICT.sub(b"", text)
    library = psycopg()
    try:
        connection.execute(text, prepare=False)
        if connection.info.transaction_status != library.pq.TransactionStatus.IDLE:
            raise MigrationError(f"{file} leaves a transaction open", hint="end it with COMMIT")
        connection.execute("DISCARD ALL")  # a dump sets search_path and more for its session
    except library.Error as error:
        raise MigrationError(f"{_place(file, text, error)}: {str(error).strip()}") from error


def _place(file: Path, text: bytes, error: Error) -> str:
    """Return the file and, where the server says it, the line of an error."""
    position = error.diag.statement_position
    if not position:
        return f"the migration by the SQL file {file} failed: {type(error).__name__}"
    before = text.decode("utf-8", "replace")[: int(position) - 1]
    return f"the migration by the SQL file {file} failed in line {before.count(chr(10)) + 1}: {type(error).__name__}"


def _line(text: bytes, offset: int) -> int:
    return text.count(b"\n", 0, offset) + 1
