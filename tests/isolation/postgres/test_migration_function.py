"""Migrations by a function: what it is given, and what its key depends on."""

from __future__ import annotations

import asyncio
import functools
import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy
from sqlalchemy import Column, Index, Integer, MetaData, Table, text

from podjig.errors import MigrationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.migration.function import FunctionMigration

CREATE = "CREATE TABLE made ()"


def by_url(url: str) -> None:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(CREATE))
    engine.dispose()


def by_any_other_name(target: str) -> None:
    by_url(target)


def by_nothing_said(target) -> None:  # type: ignore[no-untyped-def]
    by_url(target)


def by_dsn(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(CREATE)


def by_database(somewhere: PostgresDatabase) -> None:
    with somewhere.connect() as connection:
        connection.execute(CREATE)


def by_name_database(database) -> None:  # type: ignore[no-untyped-def]
    by_database(database)


def by_connection(link: psycopg.Connection[Any]) -> None:
    assert link.autocommit
    link.execute(CREATE)


def by_name_connection(connection, *, table="made") -> None:  # type: ignore[no-untyped-def]
    connection.execute(f"CREATE TABLE {table} ()")


def by_keyword(*, connection: Any) -> None:
    connection.execute(CREATE)


def by_engine(it: sqlalchemy.Engine) -> None:
    with it.begin() as connection:
        connection.execute(text(CREATE))


def by_transaction(it: sqlalchemy.Connection) -> None:
    it.execute(text(CREATE))


async def by_async_url(url: str) -> None:
    await asyncio.sleep(0)
    by_url(url)


async def by_async_connection(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute(CREATE)


class Migrator:
    def __init__(self, statement: str) -> None:
        self.statement = statement

    def run(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(self.statement.encode())

    def __call__(self, link: psycopg.Connection[Any]) -> None:
        self.run(link)


class AsyncMigrator:
    async def __call__(self, link: psycopg.AsyncConnection[Any]) -> None:
        await link.execute(CREATE)


METADATA = MetaData()
MADE = Table("made", METADATA, Column("id", Integer, primary_key=True), Column("a", Integer), Column("b", Integer))
Index("made_a", MADE.c.a)
Index("made_b", MADE.c.b)

KINDS = [
    by_url, by_any_other_name, by_nothing_said, by_dsn, by_database, by_name_database, by_connection,
    by_name_connection, by_keyword, by_engine, by_transaction, by_async_url, by_async_connection,
    Migrator(CREATE), Migrator(CREATE).run, AsyncMigrator(), lambda url: by_async_url(url[:]),
    functools.partial(by_name_connection, table="made"),
    METADATA.create_all, METADATA,
]  # fmt: skip


def name_of(function: Any) -> str:
    return getattr(function, "__qualname__", type(function).__name__)


def made(database: PostgresDatabase) -> Any:
    with database.connect() as connection:
        return connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'made'").fetchone() == (1,)


@pytest.mark.parametrize("function", KINDS, ids=name_of)
def test_it_gets_what_its_parameter_asks_for(empty: PostgresDatabase, function: Any) -> None:
    migration = FunctionMigration(function)
    migration.run(empty)
    assert made(empty)
    assert migration.description


@pytest.mark.parametrize("function", [by_async_url, by_async_connection, by_url], ids=name_of)
def test_it_runs_where_an_event_loop_runs_already(empty: PostgresDatabase, function: Any) -> None:
    async def main() -> None:
        FunctionMigration(function).run(empty)

    asyncio.run(main())
    assert made(empty)


def test_its_own_error_is_told_and_is_the_cause(empty: PostgresDatabase) -> None:
    def fails(connection: psycopg.Connection[Any]) -> None:
        connection.execute("SELECT 1 / 0")

    async def fails_too(url: str) -> None:
        raise LookupError(f"nothing at {url[:10]}")

    def leaves(url: str) -> None:
        sys.exit(7)

    for function, says, cause in (
        (fails, "DivisionByZero: division by zero", psycopg.errors.DivisionByZero),
        (fails_too, "LookupError: nothing at postgresql", LookupError),
        (leaves, "it ended with exit status 7", SystemExit),
    ):
        line = function.__code__.co_firstlineno + 1
        place = rf"{function.__name__} failed at \S*test_migration_function.py:{line}: "
        with pytest.raises(MigrationError, match=f"{place}{says}") as caught:
            FunctionMigration(function).run(empty)
        assert isinstance(caught.value.__cause__, cause)


# The key


@pytest.fixture
def reimported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """The key of a function in a package of two files, which imports another, as a new process would see it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, content in {
        "app_of_a_test/__init__.py": "",
        "app_of_a_test/migrate.py": "def upgrade(url):\n    from models_of_a_test import tables\n",
        "app_of_a_test/deep/one.sql": "SELECT 1",
        "models_of_a_test/__init__.py": "",
        "models_of_a_test/tables.py": "",
        "elsewhere.py": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)

    def key() -> str:
        for name in [name for name in sys.modules if name.partition(".")[0].endswith("_of_a_test")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        return FunctionMigration(importlib.import_module("app_of_a_test.migrate").upgrade).key

    yield key
    for name in [name for name in sys.modules if name.partition(".")[0].endswith("_of_a_test")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("file", "counts"),
    [
        ("app_of_a_test/migrate.py", True),
        ("app_of_a_test/new.py", True),
        ("app_of_a_test/deep/one.sql", True),
        ("models_of_a_test/tables.py", True),
        ("app_of_a_test/notes.txt", False),
        ("elsewhere.py", False),
    ],
)
def test_its_package_and_what_it_imports_count(
    tmp_path: Path, reimported: Callable[[], str], file: str, counts: bool
) -> None:
    before = reimported()
    assert reimported() == before
    path = tmp_path / file
    path.write_text((path.read_text() if path.exists() else "") + "\n# changed\n")
    assert (reimported() != before) is counts


def test_functions_of_one_module_are_told_apart() -> None:
    def make(table: str) -> Any:
        return lambda connection: connection.execute(table)

    functions = [
        by_url, by_database, lambda url: by_url(url[:]), lambda url: by_dsn(url[:]), make("a"), make("b"),
        functools.partial(by_name_connection, table="a"), functools.partial(by_name_connection, table="b"),
        Migrator("a"), Migrator("a").run,
    ]  # fmt: skip
    keys = [FunctionMigration(function).key for function in functions]
    assert len(set(keys)) == len(keys)
    assert FunctionMigration(make("a")).key == keys[4]
    assert FunctionMigration(functools.partial(by_name_connection, table="a")).key == keys[6]


def test_the_key_of_metadata_is_that_of_its_tables() -> None:
    other = MetaData()
    table = Table("made", other, Column("id", Integer, primary_key=True), Column("a", Integer), Column("b", Integer))
    Index("made_b", table.c.b)
    assert FunctionMigration(other).key != FunctionMigration(METADATA).key
    Index("made_a", table.c.a)
    assert FunctionMigration(other).key == FunctionMigration(METADATA.create_all).key == FunctionMigration(METADATA).key


def test_another_process_computes_the_same_key() -> None:
    line = (
        "import test_migration_function as module; from podjig.isolation.postgres.migration.function import"
        " FunctionMigration; print(*(FunctionMigration(f).key for f in (module.by_url, module.METADATA)))"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", line], cwd=Path(__file__).parent, check=True, capture_output=True, text=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert found[0][1] == FunctionMigration(METADATA).key
