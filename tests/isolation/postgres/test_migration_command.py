"""Migrations by a command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from isolation.postgres.conftest import Tables
from podjig.errors import MigrationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.migration.command import CommandMigration

CONNECT = "import os, psycopg; psycopg.connect({}, autocommit=True).execute('CREATE TABLE {} ()')"


def python(line: str) -> CommandMigration:
    return CommandMigration([sys.executable, "-W", "ignore", "-c", line])


def test_it_finds_its_database_in_the_environment(empty: PostgresDatabase, tables: Tables) -> None:
    python(CONNECT.format("''", "by_variables")).run(empty)
    python(CONNECT.format("os.environ['DATABASE_URL']", "by_url")).run(empty)
    assert tables(empty) == ["by_url", "by_variables"]


def test_its_failure_tells_exit_status_and_output(empty: PostgresDatabase) -> None:
    with pytest.raises(MigrationError, match="failed with exit status 3") as caught:
        python("import sys; print('so far'); sys.stderr.write('so bad'); sys.exit(3)").run(empty)
    assert "so far" in caught.value.message
    assert "so bad" in caught.value.message
    assert "import sys" in caught.value.message


def test_one_that_cannot_be_run_says_why(tmp_path: Path, empty: PostgresDatabase) -> None:
    program = tmp_path / "migrate"
    program.write_text("no program")
    program.chmod(0o755)
    with pytest.raises(MigrationError, match="cannot be run: .*Exec format error"):
        CommandMigration([str(program)]).run(empty)


def test_it_reads_nothing_from_the_terminal(empty: PostgresDatabase) -> None:
    python("import sys; sys.exit(len(sys.stdin.read()))").run(empty)


def test_the_key_is_that_of_its_words() -> None:
    keys = {CommandMigration(words).key for words in (["true"], ["true", "a b"], ["true", "a", "b"])}
    assert len(keys) == 3
