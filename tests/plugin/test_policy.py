"""Tests that need a container, where there is no engine."""

from __future__ import annotations

import pytest

CONFTEST = """
import pytest
from podjig import GenericContainer, container_fixture
box = container_fixture(GenericContainer("busybox"))

@pytest.fixture(scope="module")
def by_hand():
    with GenericContainer("busybox") as running:
        yield running
"""

TESTS = """
def test_factory(box): pass
def test_by_hand(by_hand): pass
def test_once_more(by_hand): pass
def test_in_the_test_itself(request): request.getfixturevalue("box")
def test_without(): pass
"""


@pytest.fixture(autouse=True)
def tests(project: pytest.Pytester) -> None:
    """Tests with and without containers."""
    project.makeconftest(CONFTEST)
    project.makepyfile(TESTS)


@pytest.mark.usefixtures("no_engine")
def test_they_fail_and_say_why_in_a_few_lines(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=1, errors=3, failed=1)
    text = result.stdout.str()
    result.stdout.fnmatch_lines(["E *EngineNotFound: no container engine answered. Tried CONTAINER_HOST (unset), *"])
    result.stdout.fnmatch_lines(["*conftest.py:*: EngineNotFound"])
    assert text.count("hint: install podman, or run 'podjig doctor'") == 4
    assert "podjig/container/" not in text, "frames of podjig's own are shown"
    assert "pytest_plugin/" not in text
    one = text.partition("ERROR at setup of test_factory")[2].partition("ERROR at setup")[0]
    assert len(one.splitlines()) < 12, "the error of a ready-made fixture has more lines than its message needs"


@pytest.mark.usefixtures("no_engine")
def test_full_trace_shows_all(project: pytest.Pytester) -> None:
    assert "podjig/container/" in project.runpytest_subprocess("--full-trace").stdout.str()


@pytest.mark.usefixtures("no_engine")
@pytest.mark.parametrize("how", ["option", "environment", "ini"])
def test_they_are_skipped_on_request_and_the_summary_says_so(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    args = ["--podjig-no-engine=skip"] if how == "option" else []
    if how == "environment":
        monkeypatch.setenv("PODJIG_NO_ENGINE", "skip")
    if how == "ini":
        project.makeini("[pytest]\npodjig_no_engine = skip")
    result = project.runpytest_subprocess("-q", "-rs", *args)
    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines(
        ["*podjig: no container engine*", "4 tests skipped: no container engine answered. Tried *", "*hint: *"]
    )
    result.stdout.fnmatch_lines(["SKIPPED*no container engine answered.*"])


@pytest.mark.usefixtures("no_engine")
def test_workers_of_xdist_tell_their_controller(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("-n", "2", "--podjig-no-engine=skip")
    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines(["4 tests skipped: no container engine answered. Tried *"])


def test_an_engine_that_is_named_and_absent_counts_as_none(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODJIG_ENGINE", "unix:///no/such/podman.sock")
    result = project.runpytest_subprocess("--podjig-no-engine=skip")
    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines(["4 tests skipped: the engine at unix:///no/such/podman.sock * cannot be used: *"])


def test_one_that_is_lost_in_the_middle_is_a_failure_all_the_same(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from podjig.errors import EngineUnavailable
        def test_lost(box):
            raise EngineUnavailable("connection lost")
        """
    )
    project.runpytest_subprocess("--podjig-no-engine=skip").assert_outcomes(failed=1)


@pytest.mark.usefixtures("no_engine")
def test_other_errors_are_not_skipped(project: pytest.Pytester) -> None:
    project.makepyfile("from podjig import GenericContainer\ndef test_it(): GenericContainer('Not A Name')")
    project.runpytest_subprocess("--podjig-no-engine=skip").assert_outcomes(failed=1)
