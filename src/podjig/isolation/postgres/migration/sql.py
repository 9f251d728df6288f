"""Plain SQL files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podjig.errors import DefinitionError, MigrationError
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.migration.digest import Digest, content, existing, files_below

if TYPE_CHECKING:
    from psycopg import Connection, Error

    from podjig.isolation.postgres.database import PostgresDatabase

_COPY = re.compile(rb"^[ \t]*COPY\b[^;]*\bFROM\s+stdin\b[^;]*;", re.IGNORECASE | re.MULTILINE)
_END_OF_COPY = re.compile(rb"^\\\.[ \t]*\r?$", re.MULTILINE)
_OF_PSQL = re.compile(rb"^\\(?!(un)?restrict\b)(\w+|!)[^\n]*", re.MULTILINE)
_RESTRICT = re.compile(rb"^\\(un)?restrict\b[^\n]*", re.MULTILINE)
"""What ``pg_dump`` writes around a dump since 2025, to keep psql from running commands in it."""

_BOM = b"\xef\xbb\xbf"


class SqlMigration:
    """Runs SQL files, each as a whole: in one transaction, unless it has its own or data for COPY."""

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
        self.files: tuple[Path, ...] = tuple(file for path in self._given for file in _files_of(path))

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
    text = _RESTRICT.sub(b"", content(file).removeprefix(_BOM))
    library = psycopg()
    for line, sql, data in _pieces(file, text):
        try:
            if data is None:
                connection.execute(sql, prepare=False)
            else:
                with connection.cursor() as cursor, cursor.copy(sql) as copy:
                    copy.write(data)
        except library.Error as error:
            raise MigrationError(f"{_place(file, line, sql, error)}: {str(error).strip()}") from error
    if connection.info.transaction_status != library.pq.TransactionStatus.IDLE:
        raise MigrationError(f"{file} leaves a transaction open", hint="end it with COMMIT")
    connection.execute("DISCARD ALL")  # a dump sets search_path and more for its session


def _pieces(file: Path, text: bytes) -> Iterator[tuple[int, bytes, bytes | None]]:
    """Yield what to run: the line it begins at, SQL, and the data that follows it where that is a COPY."""
    begin = 0
    while copy := _COPY.search(text, begin):
        end = _END_OF_COPY.search(text, copy.end())
        if end is None:
            raise MigrationError(
                f"{file}, line {_line(text, copy.start())}: the data of COPY ... FROM stdin has no end",
                hint="end it with a line of '\\.', as pg_dump does",
            )
        yield _line(text, begin), _checked(file, text, begin, copy.start()), None
        data = text.find(b"\n", copy.end()) + 1
        yield _line(text, copy.start()), copy.group(), text[data : end.start()]
        begin = end.end()
    yield _line(text, begin), _checked(file, text, begin, len(text)), None


def _checked(file: Path, text: bytes, begin: int, end: int) -> bytes:
    """Return a part of the text, if it is SQL."""
    if found := _OF_PSQL.search(text, begin, end):
        raise MigrationError(
            f"{file}, line {_line(text, found.start())}: {found.group().decode(errors='replace')!r} is a command of"
            " psql's, not SQL",
            hint="give the command: ['psql', '-v', 'ON_ERROR_STOP=1', '-f', ...]",
        )
    return text[begin:end]


def _place(file: Path, line: int, sql: bytes, error: Error) -> str:
    """Return the file and, where the server says it, the line of an error."""
    position = error.diag.statement_position
    where = ""
    if position:
        line += sql.decode("utf-8", "replace").count("\n", 0, int(position) - 1)
        where = f" in line {line}"
    return f"the migration by the SQL file {file} failed{where}: {type(error).__name__}"


def _line(text: bytes, offset: int) -> int:
    return text.count(b"\n", 0, offset) + 1
