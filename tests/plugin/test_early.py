"""The session's containers are started in the background as soon as collection shows that a test needs them."""

from __future__ import annotations

import pytest

CONFTEST = """
import os
import threading
from podjig import GenericContainer, container_fixture

begun = threading.Event()

class Box(GenericContainer):
    def _configure(self):
        begun.set()
        with open(os.path.join(os.path.dirname(__file__), "notes"), "a") as file:
            print("start", file=file)

def box():
    return Box("busybox", command="sleep 600").with_labels({"podjig-test": os.environ["MARK"]})

one = container_fixture(box())
narrow = container_fixture(box(), scope="module")
"""


@pytest.fixture
def notes(project: pytest.Pytester, mark: str) -> pytest.Pytester:
    project.makeconftest(CONFTEST)
    return project


def started(project: pytest.Pytester) -> int:
    file = project.path / "notes"
    return file.read_text(encoding="utf-8").count("start") if file.exists() else 0


TESTS = """
import pytest
import conftest

def test_before():
    assert conftest.begun.wait(60), "nothing was begun"

def test_later(one):
    assert one.status == "running"
"""


@pytest.mark.parametrize("way", ["option", "ini"])
def test_it_begins_before_the_first_test(notes: pytest.Pytester, way: str) -> None:
    notes.makepyfile(TESTS)
    if way == "ini":
        notes.makeini("[pytest]\npodjig_early = true")
    options = ["--podjig-early"] if way == "option" else []
    notes.runpytest_subprocess("-p", "no:randomly", *options).assert_outcomes(passed=2)
    assert started(notes) == 1


@pytest.mark.parametrize(
    "tests",
    [
        "def test_it(): pass",
        "def test_it(narrow): pass\ndef pytest_runtest_setup(): pass",
        "import pytest\n@pytest.mark.skip\ndef test_it(one): pass",
    ],
)
def test_what_no_test_needs_for_the_session_is_not_begun(notes: pytest.Pytester, tests: str) -> None:
    notes.makepyfile(tests)
    notes.runpytest_subprocess("--podjig-early")
    assert started(notes) == tests.count("narrow")


def test_what_is_deselected_or_only_collected_is_not_begun(notes: pytest.Pytester) -> None:
    notes.makepyfile(TESTS)
    notes.runpytest_subprocess("--podjig-early", "--collect-only").assert_outcomes()
    notes.runpytest_subprocess("--podjig-early", "--setup-plan")
    notes.runpytest_subprocess("--podjig-early", "-k", "nothing_is_called_this")
    assert started(notes) == 0


def test_the_engines_client_is_imported_where_pytest_is(notes: pytest.Pytester) -> None:
    """As it is imported it changes the filters of warnings, which are pytest's too, and the same for all threads."""
    notes.makeconftest(
        f"""{CONFTEST}
import sys

imported_in = []

class Watch:
    def find_spec(self, name, path, target=None):
        if name == "requests":
            imported_in.append(threading.current_thread())

sys.meta_path.insert(0, Watch())
"""
    )
    notes.makepyfile(f"{TESTS}\n    import threading\n    assert conftest.imported_in == [threading.main_thread()]")
    notes.runpytest_subprocess("-p", "no:randomly", "--podjig-early").assert_outcomes(passed=2)


def test_without_the_option_it_begins_with_the_test(notes: pytest.Pytester) -> None:
    notes.makepyfile("import conftest\ndef test_a():\n    assert not conftest.begun.wait(0.5)\ndef test_b(one): pass")
    notes.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=2)


def test_what_was_begun_and_not_used_is_removed(notes: pytest.Pytester) -> None:
    notes.makepyfile(
        f"{TESTS}\ndef test_more(one): pass".replace("def test_before():", "def test_before():\n    1 / 0")
    )
    notes.runpytest_subprocess("-p", "no:randomly", "--podjig-early", "-x").assert_outcomes(failed=1)


def test_each_image_that_tests_choose_is_begun(notes: pytest.Pytester) -> None:
    notes.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("one", ["busybox:latest"], indirect=True)
        def test_chosen(one):
            assert one.image == "busybox:latest"

        def test_plain(one):
            assert one.image == "busybox"
        """
    )
    notes.runpytest_subprocess("-p", "no:randomly", "--podjig-early").assert_outcomes(passed=2)
    assert started(notes) == 2
