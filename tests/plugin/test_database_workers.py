"""Workers of pytest-xdist that have parts of one PostgreSQL server, and databases on it."""

from __future__ import annotations

import pytest

CONFTEST = """
import pathlib
import time

from podjig import PostgresContainer, container_fixture, postgres_database

def migrate(connection):
    with pathlib.Path("migrated").open("a") as file:
        print("once", file=file)
    connection.execute("CREATE TABLE users (name text)")
    time.sleep(0.5)  # both workers are here, if nothing keeps one of them waiting

pg = container_fixture(PostgresContainer("postgres:16", dbname={dbname!r}))
db = postgres_database("pg", migrate=migrate, mode={mode!r})
"""

TESTS = """
import time

import pytest

@pytest.mark.parametrize("n", range(4))
def test_it(pg, db, n):
    with db.connect() as connection:
        connection.execute("INSERT INTO users VALUES ('me')")
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (1,)
    time.sleep(0.2)
"""


@pytest.mark.parametrize(("dbname", "mode"), [("test", "rollback"), ("test", "pool"), ("postgres", "template")])
def test_a_migration_is_run_once_for_all_workers(project: pytest.Pytester, dbname: str, mode: str) -> None:
    project.makeconftest(CONFTEST.format(dbname=dbname, mode=mode))
    project.makepyfile(TESTS)
    result = project.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=4)
    assert (project.path / "migrated").read_text(encoding="utf-8").splitlines() == ["once"]


def test_the_built_in_servers_are_enough_for_a_large_machine(project: pytest.Pytester) -> None:
    """So many processes would say more of the machine that runs them: the servers are asked on behalf of them."""
    project.makepyfile(
        """
        from podjig import PostgresDatabases, RedisDatabases

        def test_postgres(podjig_postgres_server):
            with PostgresDatabases(podjig_postgres_server, worker="gw95", workers=96) as databases:
                with databases.database() as database, database.connect() as connection:
                    connection.execute("SELECT 1")

        def test_redis(podjig_redis_server):
            with RedisDatabases(podjig_redis_server, worker="gw95", workers=96) as databases:
                with databases.database() as database:
                    assert database.index == 95
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=2)
