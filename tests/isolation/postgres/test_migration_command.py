"""Migrations by a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from isolation.postgres.conftest import Tables
from podjig.errors import MigrationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.migration.choice import migration
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


KEY = """
import os, sys
from podjig import PostgresContainer
depends = sys.argv[1:]
PostgresContainer("postgres:17")  # what a run has before it forks
if os.fork():
    os.wait()
from pathlib import Path
from podjig.isolation.postgres.migration.choice import migration
from podjig.isolation.postgres.migration.command import CommandMigration
print(CommandMigration(["true"], depends=tuple(map(Path, depends))).key, flush=True)
"""


def keys(*depends: Path, **environment: str) -> list[str]:
    """Return the key of a migration in a process of its own, and in a child that it forks."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-c", KEY, *map(str, depends)],
        check=True, capture_output=True, text=True, env={**outside, **environment},
    )  # fmt: skip
    return done.stdout.split()


def test_each_run_has_a_key_of_its_own_and_all_its_processes_have_the_same() -> None:
    (one, child), (other, _) = keys(), keys()
    assert one == child != other
    workers = [keys(PYTEST_XDIST_TESTRUNUID="a"), keys(PYTEST_XDIST_TESTRUNUID="a"), keys(PYTEST_XDIST_TESTRUNUID="b")]
    assert workers[0] == workers[1] != workers[2]


def test_all_runs_have_the_same_where_it_is_said_what_it_depends_on(tmp_path: Path) -> None:
    file = tmp_path / "models.py"
    file.write_text("one")
    before = keys(file)
    assert keys(file) == before
    file.write_text("other")
    assert keys(file) != before


@pytest.mark.parametrize("several", [False, True])
def test_what_is_said_of_a_list_holds_for_a_command_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, several: bool
) -> None:
    file = tmp_path / "schema.sql"
    file.write_text("CREATE TABLE first ()")
    given = [["true"], str(file)] if several else ["true"]
    found: list[tuple[str, str]] = []
    for run in ("a", "b"):
        monkeypatch.setenv("PYTEST_XDIST_TESTRUNUID", run)
        found.append((migration(given).key, migration(given, depends=[file]).key))
    (first, depending), (second, also) = found
    assert first != second
    assert depending == also
