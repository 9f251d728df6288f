"""Workers of pytest-xdist that have parts of one PostgreSQL server, and databases on it."""

from __future__ import annotations

import pytest

from plugin.forking import FORKED

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
                    assert database.index >= 96, "the lower ones are for workers that connect themselves"
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=2)


EVERY = """
import pathlib
from podjig import postgres_database, redis_database

def migrate(connection):
    connection.execute("CREATE TABLE users (name text)")

pool, rolled, truncated = (
    postgres_database(migrate=migrate, mode=mode, name=name)
    for mode, name in (("pool", "pool"), ("rollback", "rolled"), ("truncate", "truncated"))
)
index = redis_database(name="index")

def use(*databases):
    *postgres, cache = databases
    for database in postgres:
        with database.connect() as connection:
            assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,), database
            connection.execute("INSERT INTO users VALUES ('me')")
    assert cache.client.dbsize() == 0
    cache.client.set("name", "me")
"""

USED = """
import os, pathlib, signal
import pytest
from conftest import use

@pytest.mark.parametrize("n", range(6))
@pytest.mark.xdist_group("all")
def test_it(pool, rolled, truncated, index, n):
    use(pool, rolled, truncated, index)
    {then}
"""

CRASH = """if n == 2 and not pathlib.Path("crashed").exists():
        pathlib.Path("crashed").touch()
        os.kill(os.getpid(), signal.SIGKILL)"""


@pytest.mark.parametrize(
    ("options", "then", "outcome"),
    [
        (["--forked"], CRASH, {"passed": 5, "failed": 1}),
        (["-n2", "--dist=load"], CRASH, {"passed": 5, "failed": 1}),
        (["-n2", "--dist=loadgroup"], "pass", {"passed": 6}),
        (["-n2", "--dist=worksteal"], "pass", {"passed": 6}),
    ],
    ids=["forked, one crashes", "a worker crashes and is replaced", "loadgroup", "worksteal"],
)
def test_each_test_has_clean_databases_however_it_is_run(
    project: pytest.Pytester, options: list[str], then: str, outcome: dict[str, int]
) -> None:
    project.makeconftest(f"{FORKED}\n{EVERY}")
    project.makepyfile(USED.format(then=then))
    result = project.runpytest_subprocess("-p", "no:randomly", *options)
    result.assert_outcomes(**outcome)
    result.stdout.no_fnmatch_line("*LeftoverWarning*")


@pytest.mark.parametrize("options", [["-x"], ["--maxfail=2"], ["-n2", "-x"]], ids=" ".join)
def test_a_run_that_stops_at_a_failure_ends_as_it_should(project: pytest.Pytester, options: list[str]) -> None:
    project.makeconftest(EVERY)
    project.makepyfile(USED.format(then="assert n < 1"))
    result = project.runpytest_subprocess("-p", "no:randomly", *options)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    outcomes = result.parseoutcomes()
    assert outcomes.pop("failed") in (1, 2)
    assert set(outcomes) <= {"passed"}, "something went wrong at the end"
    for trouble in ("*INTERNALERROR*", "*LeftoverWarning*", "*Traceback*"):
        result.stdout.no_fnmatch_line(trouble)
        result.stderr.no_fnmatch_line(trouble)


@pytest.mark.parametrize("mode", ["pool", "template", "rollback", "truncate"])
def test_a_database_of_the_session_and_one_for_each_test_are_not_in_each_others_way(
    project: pytest.Pytester, mode: str
) -> None:
    project.makeconftest(
        f"""
        from podjig import postgres_database, redis_database

        wide = postgres_database(mode="{mode}", scope="session", name="wide")
        db = postgres_database(mode="{mode}", name="db")
        wide_cache = redis_database(scope="session")
        cache = redis_database()
        """
    )
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(3))
        def test_it(wide, db, wide_cache, cache, n):
            assert wide_cache.client.incr("count") == n + 1
            assert cache.client.incr("count") == 1
            for database, before in ((wide, n), (db, 0)):
                with database.connect() as connection:
                    connection.execute("CREATE TABLE IF NOT EXISTS mine (n int)")
                    assert connection.execute("SELECT count(*) FROM mine").fetchone() == (before,)
                    connection.execute("INSERT INTO mine VALUES (1)")
            with db.connect() as connection:
                connection.execute("CREATE ROLE of_a_test")
        """
    )
    result = project.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=3, warnings=0 if mode == "rollback" else 3)
    if mode != "rollback":
        result.stdout.fnmatch_lines(["*test_it[[]2[]] left behind a new role ('of_a_test') of the whole server"])
