"""Migrations in SQL files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isolation.postgres.conftest import Tables
from podjig.errors import MigrationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.migration.sql import SqlMigration

SCHEMA = """\ufeff-- a comment; with a semicolon
\\restrict a1b2c3
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.users (id bigserial PRIMARY KEY, name text NOT NULL DEFAULT 'a;b''c');
CREATE FUNCTION public.twice(n int) RETURNS int LANGUAGE plpgsql AS $body$
BEGIN
    RETURN n * 2; -- ;
END;
$body$;
INSERT INTO public.users (name) VALUES ('größe'), ('100%'), ('{}');
\\unrestrict a1b2c3
"""


def write(folder: Path, **files: str) -> list[Path]:
    """Write files whose names are given with two underscores for the dot."""
    paths = [folder / name.replace("__", ".") for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def test_several_statements_functions_and_what_a_dump_brings(
    tmp_path: Path, empty: PostgresDatabase, tables: Tables
) -> None:
    paths = write(tmp_path, schema__sql=SCHEMA, more__sql="CREATE TABLE orders (); -- by the usual path", none__sql="")
    SqlMigration(paths).run(empty)
    assert tables(empty) == ["orders", "users"]
    with empty.connect() as connection:
        assert connection.execute("SELECT twice(21), array_agg(name ORDER BY id) FROM users").fetchone() == (
            42,
            ["größe", "100%", "{}"],
        )


DUMP = """CREATE TABLE public.t (i int, v text);
COPY public.t (i, v) FROM stdin;
1\tone; \\\\ two
2\t\\N
\\N\t\\\\.x
\\.


COPY public.t
    FROM STDIN (FORMAT csv);
3,"a;b"
\\.
COPY public.t FROM stdin;
\\.
SELECT 1;
"""


def test_the_data_of_a_dump(tmp_path: Path, empty: PostgresDatabase) -> None:
    SqlMigration(write(tmp_path, dump__sql=DUMP)).run(empty)
    with empty.connect() as connection:
        rows = connection.execute("SELECT i, v FROM t ORDER BY i").fetchall()
    assert rows == [(1, "one; \\ two"), (2, None), (3, "a;b"), (None, "\\.x")]


def test_a_folder_is_read_in_the_order_of_names_and_numbers(tmp_path: Path, empty: PostgresDatabase) -> None:
    for name in ("V10__b.sql", "V2__a.sql", "V1__x.sql", "20_last/migration.sql"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("SELECT 1")
    (tmp_path / "V2__a.down.sql").write_text("this would fail")
    (tmp_path / "readme.md").write_text("this too")
    migration = SqlMigration([tmp_path])
    assert [file.name for file in migration.files] == ["migration.sql", "V1__x.sql", "V2__a.sql", "V10__b.sql"]
    migration.run(empty)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT 1;\nSELECT 'ö';\nCREATE TABEL x ();", "failed in line 3: SyntaxError: syntax error at or near"),
        ("CREATE TABLE t (i int CHECK (i > 0));\nINSERT INTO t VALUES (-1);", "CheckViolation: new row for relation"),
        ("BEGIN; CREATE TABLE t ();", "leaves a transaction open"),
        ("CREATE TABLE t (i int);\nCOPY t (i) FROM stdin;\n1\n", "line 2: the data of COPY ... FROM stdin has no end"),
        ("CREATE TABLE t (i int);\nCOPY t (i) FROM stdin;\nx\n\\.\n", "invalid input syntax for type integer"),
        ("COPY t (i) FROM stdin;\nx\n\\.\n", 'UndefinedTable: relation "t" does not exist'),
        ("CREATE TABLE t (i int);\nCOPY t FROM stdin;\n1\n\\.\n\nSELECT\nx;", "failed in line 7: UndefinedColumn"),
        ("SELECT 1;\n\\connect other\n", "line 2: '\\\\connect other' is a command of psql's"),
        ("SELECT 1;\n\\i more.sql\n", "line 2: '\\\\i more.sql' is a command of psql's"),
        ("SELECT 1; VACUUM;", "ActiveSqlTransaction"),
    ],
    ids=["syntax", "check", "transaction", "endless", "data", "no table", "after data", "connect", "include", "vacuum"],
)
def test_a_failure_names_the_file_the_place_and_the_servers_words(
    tmp_path: Path, empty: PostgresDatabase, text: str, says: str
) -> None:
    first, second = write(tmp_path, fine__sql="SELECT 1", bad__sql=text)
    with pytest.raises(MigrationError, match=re.escape(says)) as caught:
        SqlMigration([first, second]).run(empty)
    assert str(second) in caught.value.message


def test_the_key_is_that_of_content_and_order(tmp_path: Path) -> None:
    a, b, c = write(tmp_path, a__sql="SELECT 1", b__sql="SELECT 2", c__sql="SELECT 1")
    keys = [SqlMigration(paths).key for paths in ([a], [b], [a, b], [b, a], [c], [tmp_path])]
    assert len(set(keys)) == 5
    assert keys[0] == keys[4], "names do not count, where the order is given"
    a.write_text("SELECT 3")
    assert SqlMigration([a]).key not in keys
    assert SqlMigration([tmp_path]).key not in keys
