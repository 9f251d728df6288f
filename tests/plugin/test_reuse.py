"""``--podjig-reuse``: the next run takes up what this one has left."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from podjig.cleanup.folders import folders
from podjig.engine.protocol import Engine

TESTS = """
import os, pathlib
import psycopg, pytest
from podjig import GenericContainer, PostgresContainer, RedisContainer, container_fixture
from podjig.pytest_plugin.fixtures import POSTGRES_SETTINGS

MARK = {"podjig-test": os.environ["MARK"]}
pg = container_fixture(PostgresContainer("postgres:17", driver=None).with_labels(MARK))
cache = container_fixture(RedisContainer("redis:8").with_labels(MARK))


@pytest.fixture(scope="session")
def podjig_postgres_server():
    server = PostgresContainer("postgres:17", driver="psycopg").with_labels(MARK, kind="templates")
    with server.with_server_settings(**POSTGRES_SETTINGS) as running:
        note(running)
        yield running


def note(container):
    with pathlib.Path("used.txt").open("a") as file:
        file.write(f"{container.id}\\n")


@pytest.mark.parametrize("n", range(4))
def test_pg(pg, n):
    note(pg)
    with psycopg.connect(pg.get_connection_url()) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS rows (n int)")
        connection.execute("INSERT INTO rows VALUES (%s)", [n])
        assert connection.execute("SELECT count(*) FROM rows WHERE n = %s", [n]).fetchone() == (1,)


@pytest.mark.parametrize("n", range(4))
def test_cache(cache, n):
    note(cache)
    with cache.get_client() as client:
        assert client.incr(f"number {n}") == 1
"""

POOLED = """
@pytest.mark.parametrize("n", range(3))
def test_isolated(podjig_postgres, n):
    with podjig_postgres.connect() as connection:
        connection.execute("CREATE TABLE mine ()")
"""


@pytest.fixture
def kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A label that the project's containers carry; at the end they are removed."""
    value = uuid.uuid4().hex
    monkeypatch.setenv("MARK", value)
    yield value
    for left in engine.list_containers(labels={"podjig-test": value}):
        engine.remove_container(left.id)
        folders().kept.forget(left.id)


def run(project: pytest.Pytester, *options: str) -> tuple[pytest.RunResult, set[str]]:
    """Run the project, and return the result and the containers that it used."""
    noted = project.path / "used.txt"
    noted.unlink(missing_ok=True)
    result = project.runpytest_subprocess("-p", "no:cacheprovider", *options)
    return result, set(noted.read_text().split())


@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_second_run_takes_up_what_the_first_has_left(
    project: pytest.Pytester, kept: str, engine: Engine, workers: str
) -> None:
    project.makepyfile(TESTS)
    first, before = run(project, "--podjig-reuse", "-n", workers)
    first.assert_outcomes(passed=8)
    assert {each.id for each in engine.list_containers(labels={"podjig-test": kept})} == before
    assert len(before) == 2
    second, after = run(project, "--podjig-reuse", "-n", workers, "-v")
    second.assert_outcomes(passed=8)
    assert after == before
    second.stdout.no_fnmatch_line("*made anew*")


def test_a_run_without_it_leaves_nothing(project: pytest.Pytester, kept: str, engine: Engine) -> None:
    project.makepyfile(TESTS)
    result, _ = run(project, "-k", "cache")
    result.assert_outcomes(passed=4, deselected=4)
    assert engine.list_containers(labels={"podjig-test": kept}) == []


def test_clean_databases_leave_a_server_that_can_be_taken_up(
    project: pytest.Pytester, kept: str, engine: Engine
) -> None:
    project.makepyfile(TESTS + POOLED)
    used = []
    for _ in range(3):
        result, ids = run(project, "--podjig-reuse", "-v", "-k", "isolated")
        result.assert_outcomes(passed=3, deselected=8)
        used.append(ids)
    assert used[0] == used[1] == used[2]


def test_it_says_what_could_not_be_taken_up(project: pytest.Pytester, kept: str) -> None:
    project.makepyfile(
        """
        import os
        from podjig import GenericContainer, container_fixture

        box = container_fixture(
            GenericContainer("busybox", command="sleep 600").with_labels({"podjig-test": os.environ["MARK"]})
        )

        def test_box(box):
            assert box.exec("true").exit_code == 0
        """
    )
    result = project.runpytest_subprocess("--podjig-reuse", "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["box (busybox): started*; not reusable: podjig does not know how to make it as new"])
