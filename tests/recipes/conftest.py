"""Whole projects of users, each run by a pytest of its own with every plugin that is installed here."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from plugin.conftest import no_engine as no_engine  # noqa: PLC0414  fixtures, for these tests too
from plugin.conftest import project as project  # noqa: PLC0414

PROJECTS = Path(__file__).parents[1] / "projects"
OPTIONS = (
    "-p", "no:cacheprovider",
    "-W", "error",
    "-o", "asyncio_default_fixture_loop_scope=function",  # where it is not set, pytest-asyncio warns any project
)  # fmt: skip

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(project: pytest.Pytester) -> Run:
    """Runs pytest in a copy of the project of that name, where a warning is an error: `run("article", "-v")`."""

    def run(name: str, *options: str) -> pytest.RunResult:
        shutil.copytree(PROJECTS / name, project.path, dirs_exist_ok=True)
        return project.runpytest_subprocess(*OPTIONS, *options)

    return run
