"""The projects under tests/projects are green."""

from __future__ import annotations

import pytest

from podjig.engine.protocol import Engine
from recipes.conftest import Run


def test_sqlalchemy_with_alembic(run: Run) -> None:
    run("sqlalchemy_alembic").assert_outcomes(passed=5)


def test_factories_that_commit(run: Run) -> None:
    run("factories").assert_outcomes(passed=6)


def test_asyncpg_with_pytest_asyncio_and_anyio(run: Run) -> None:
    run("asyncpg_app").assert_outcomes(passed=12)


def test_a_flask_application(run: Run) -> None:
    run("flask_app").assert_outcomes(passed=6)


def test_hypothesis(run: Run) -> None:
    run("hypothesis_db").assert_outcomes(passed=2)


def test_workers_in_parallel_on_one_container(run: Run) -> None:
    result = run("parallel")
    result.assert_outcomes(passed=9)
    result.stdout.fnmatch_lines(["pg (postgres:16): started in * shared by 2 workers*"])


def test_the_article_leaves_nothing(run: Run, project: pytest.Pytester, engine: Engine) -> None:
    project.makepyfile(
        recorder="""
        import pathlib
        from podjig import GenericContainer

        start = GenericContainer.start

        def recorded(container):
            start(container)
            with pathlib.Path("ids").open("a") as ids:
                print(container.id, file=ids)
            return container

        GenericContainer.start = recorded
        """
    )
    run("article", "-p", "recorder").assert_outcomes(passed=6)
    started = (project.path / "ids").read_text(encoding="utf-8").split()
    assert len(started) == 2
    assert {container.id for container in engine.list_containers()}.isdisjoint(started)


def test_the_article_on_two_workers(run: Run) -> None:
    run("article", "--numprocesses", "2").assert_outcomes(passed=6)


@pytest.mark.usefixtures("no_engine")
def test_the_articles_unit_tests_need_no_engine(run: Run) -> None:
    run("article", "-m", "not integration").assert_outcomes(passed=1, deselected=5)
