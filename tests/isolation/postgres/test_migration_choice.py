"""What may be given as a migration, and what is refused at once."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from isolation.postgres.conftest import Tables
from podjig.errors import DefinitionError, MigrationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.migration.choice import migration
from podjig.isolation.postgres.server import PostgresServer


def name_of(value: Any) -> str:
    """Return a parameter's name in a test's id: the same in each worker."""
    return "function" if callable(value) else re.sub(r"[^\w.:]+", "-", str(value))[:40]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a package, in which the test runs."""
    package = tmp_path / "shop_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "migrations.py").write_text(
        "NUMBER = 7\n"
        "class Deep:\n"
        "    @staticmethod\n"
        "    def upgrade(connection):\n"
        "        connection.execute('CREATE TABLE deep ()')\n"
        "def upgrade(url):\n"
        "    import psycopg\n"
        "    with psycopg.connect(url.replace('+psycopg', '')) as c: c.execute('CREATE TABLE shop ()')\n"
    )
    (package / "broken.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "schema.sql").write_text("CREATE TABLE of_sql ();")
    (tmp_path / "bare").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("shop_of_a_test")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("value", "made"),
    [
        (None, []),
        ("shop_of_a_test.migrations:upgrade", ["shop"]),
        ("shop_of_a_test.migrations:Deep.upgrade", ["deep"]),
        ("schema.sql", ["of_sql"]),
        (Path("schema.sql"), ["of_sql"]),
        ([Path("schema.sql")], ["of_sql"]),
        (["schema.sql"], ["of_sql"]),
        (".", ["of_sql"]),
        (["sh", "-c", "exit 0"], []),
        ([Path("schema.sql"), "shop_of_a_test.migrations:upgrade", ["true"]], ["of_sql", "shop"]),
        (lambda connection: connection.execute("CREATE TABLE of_lambda ()"), ["of_lambda"]),
    ],
    ids=name_of,
)
def test_each_kind_is_told_by_its_value(
    project: Path, empty: PostgresDatabase, tables: Tables, value: Any, made: list[str]
) -> None:
    chosen = migration(value)
    assert re.fullmatch(r"[0-9a-f]{16}", chosen.key)
    assert chosen.key == migration(value).key
    assert chosen.description
    chosen.run(empty)
    assert tables(empty) == made


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "'' is no migration"),
        ("nowhere", "'nowhere' is no migration, and no such file or folder exists"),
        ("CREATE TABLE t (); " * 100, "no such file or folder exists"),
        ("CREATE TABLE\0", "no such file or folder exists"),
        ("alembic upgrade head", "'alembic upgrade head' is no migration"),
        ("nowhere.sql", "the SQL file 'nowhere.sql' does not exist"),
        (["schema.sql", "nowhere.sql"], "the SQL file 'nowhere.sql' does not exist"),
        ("nowhere.ini", "the Alembic configuration 'nowhere.ini' does not exist"),
        ("bare", "no .sql file in the folder 'bare'"),
        ([], "[] is no migration"),
        (7, "7 is no migration"),
        (["no-such-program", "up"], "the migration's command 'no-such-program' is not found"),
        (lambda: None, "takes no argument"),
        (lambda url, schema: None, "needs 2 arguments: url, schema"),
        ("shop_of_a_test.migrations:NUMBER", "7 is no migration"),
    ],
    ids=name_of,
)
def test_what_is_no_migration_is_refused_at_once(project: Path, value: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(says)) as caught:
        migration(value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("no_such_module:upgrade", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("shop_of_a_test.broken:upgrade", "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        ("shop_of_a_test.migrations:downgrade", "has no attribute 'downgrade'"),
        ("shop_of_a_test.migrations:Deep.deeper", "has no attribute 'deeper'"),
    ],
)
def test_what_cannot_be_imported_is_named_with_the_reason(project: Path, value: str, says: str) -> None:
    with pytest.raises(MigrationError, match=re.escape(says)) as caught:
        migration(value)
    assert value in caught.value.message
    assert caught.value.hint


def test_what_it_depends_on_counts_and_must_exist(project: Path) -> None:
    for value in (["true"], "schema.sql", lambda url: None, ["schema.sql", ["true"]], migration(["true"])):
        (project / "more.txt").write_text("one")
        plain, one = migration(value).key, migration(value, depends=["more.txt"]).key
        (project / "more.txt").write_text("two")
        assert len({plain, one, migration(value, depends=["more.txt"]).key}) == 3, value
    with pytest.raises(DefinitionError, match=r"depends on, 'less.txt' does not exist"):
        migration(None, depends=["less.txt"])


def test_a_declarative_base_stands_for_its_tables(empty: PostgresDatabase, tables: Tables) -> None:
    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)

    migration(Base).run(empty)
    assert tables(empty) == ["users"]
    assert migration(Base).key == migration(Base.metadata).key == migration(Base.metadata.create_all).key


def test_a_file_that_cannot_be_read_is_named(project: Path, empty: PostgresDatabase) -> None:
    chosen = migration("schema.sql")
    (project / "schema.sql").chmod(0)
    for use in (lambda: chosen.key, lambda: chosen.run(empty)):
        with pytest.raises(DefinitionError, match=r"schema.sql', .* cannot be read: Permission denied"):
            use()


def test_a_migration_of_your_own_class_is_taken_as_it_is(server: PostgresServer) -> None:
    class Mine:
        key = "0123456789abcdef"
        description = "mine"

        def run(self, database: PostgresDatabase) -> None:
            raise NotImplementedError

    mine = Mine()
    assert migration(mine) is mine
