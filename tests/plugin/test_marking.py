"""The marker that tests get by themselves."""

from __future__ import annotations

import pytest

CONFTEST = """
from podjig import GenericContainer, container_fixture
box = container_fixture(GenericContainer("busybox"))
"""

TESTS = """
import pytest

@pytest.fixture
def through(box): pass

def test_with(box): pass
def test_with_another_between(through): pass
@pytest.mark.usefixtures("box")
def test_that_names_it_in_a_mark(): pass
class TestIt:
    def test_in_a_class(self, box): pass
def test_ready_made(podjig_postgres): pass
def test_without(tmp_path): pass
"""


@pytest.fixture(autouse=True)
def tests(project: pytest.Pytester, no_engine: None) -> None:
    """Tests with and without containers, where there is no engine."""
    project.makeconftest(CONFTEST)
    project.makepyfile(TESTS)


def test_tests_that_use_a_fixture_of_podjig_are_marked_before_they_are_deselected(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\npodjig_mark_integration = true")
    result = project.runpytest_subprocess("-m", "not integration", "--strict-markers")
    result.assert_outcomes(passed=1, deselected=5)
    result = project.runpytest_subprocess("-m", "integration", "--collect-only", "-q")
    assert "test_without" not in result.stdout.str()
    assert result.stdout.str().count("::test_") == 5


def test_by_default_none_is_marked(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("-m", "integration").assert_outcomes(deselected=6)


def test_doctests_and_foreign_items_are_left_alone(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\npodjig_mark_integration = true")
    project.maketxtfile(test_doc=">>> 1 + 1\n2\n")
    project.runpytest_subprocess("test_doc.txt", "-m", "not integration").assert_outcomes(passed=1)
