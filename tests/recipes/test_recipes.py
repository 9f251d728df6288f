"""The projects under tests/projects are green."""

from __future__ import annotations

import pytest

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


def test_the_article(run: Run) -> None:
    run("article").assert_outcomes(passed=6)


def test_the_article_on_two_workers(run: Run) -> None:
    run("article", "--numprocesses", "2").assert_outcomes(passed=6)


@pytest.mark.usefixtures("no_engine")
def test_the_articles_unit_tests_need_no_engine(run: Run) -> None:
    run("article", "-m", "not integration").assert_outcomes(passed=1, deselected=5)
