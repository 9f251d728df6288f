"""Tests that run in forked children share what the session has."""

from __future__ import annotations

import pytest

from plugin.forking import FORKED

CONFTEST = (
    FORKED
    + """
import os
from podjig import GenericContainer, container_fixture

def box():
    return GenericContainer("busybox", command="sleep 600").with_labels({"podjig-test": os.environ["MARK"]})

one = container_fixture(box())
two = container_fixture(box())
narrow = container_fixture(box(), scope="function")
"""
)

TESTS = """
import os
import pathlib
import pytest

@pytest.mark.parametrize("n", range(3))
def test_it(one, two, narrow, n):
    with pathlib.Path(__file__).with_name("ids").open("a") as file:
        print(os.getpid(), one.id, narrow.id, file=file)
    assert one.exec(["echo", str(n)]).output == b"%d\\n" % n
    assert two.status == narrow.status == "running"
"""


@pytest.mark.usefixtures("mark")
@pytest.mark.parametrize("options", [["--forked"], ["--forked", "--podjig-early"], ["--forked", "-n", "1"]])
def test_children_share_the_sessions_containers(project: pytest.Pytester, options: list[str]) -> None:
    project.makeconftest(CONFTEST)
    project.makepyfile(TESTS)
    project.runpytest_subprocess("-p", "no:randomly", *options).assert_outcomes(passed=3)
    lines = [line.split() for line in (project.path / "ids").read_text(encoding="utf-8").splitlines()]
    pids, shared, narrow = (set(column) for column in zip(*lines, strict=True))
    assert len(pids) == 3, "no children were forked"
    assert len(shared) == 1
    assert len(narrow) == 3


@pytest.mark.usefixtures("mark")
def test_a_child_that_crashes_leaves_them_to_the_next(project: pytest.Pytester) -> None:
    project.makeconftest(CONFTEST)
    project.makepyfile(
        "import os, signal\n"
        "def test_a(one):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "def test_b(one):\n    assert one.status == 'running'\n"
        "def test_c(one):\n    os._exit(0)\n"
        "def test_d(one):\n    assert one.status == 'running'\n"
    )
    result = project.runpytest_subprocess("-p", "no:randomly", "--forked")
    result.assert_outcomes(passed=2, failed=2)


@pytest.mark.usefixtures("mark")
def test_a_container_that_does_not_start_fails_each_child(project: pytest.Pytester) -> None:
    project.makeconftest(
        CONFTEST + "\nbad = container_fixture(GenericContainer('busybox', command='sh -c \"exit 3\"')"
        ".with_labels({'podjig-test': os.environ['MARK']}).waiting_for(lambda container: False))"
    )
    project.makepyfile("def test_a(bad): pass\ndef test_b(bad, one): pass")
    result = project.runpytest_subprocess("--forked")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*exit*3*"])


@pytest.mark.usefixtures("mark")
def test_each_child_has_the_image_that_its_test_chooses(project: pytest.Pytester) -> None:
    project.makeconftest(CONFTEST)
    project.makepyfile(
        """
        import pytest

        def test_plain(one):
            assert one.image == "busybox"

        @pytest.mark.parametrize("one", ["busybox:latest"], indirect=True)
        def test_chosen(one):
            assert one.image == "busybox:latest"
        """
    )
    project.runpytest_subprocess("-p", "no:randomly", "--forked").assert_outcomes(passed=2)


@pytest.mark.parametrize("options", [[], ["-n", "1"]], ids=["alone", "xdist"])
def test_what_children_leave_behind_and_what_they_cost_is_told(project: pytest.Pytester, options: list[str]) -> None:
    project.makeconftest(FORKED)
    project.makepyfile(
        """
        import pytest
        kept = []

        @pytest.mark.parametrize("n", range(2))
        def test_clean(podjig_postgres, n): pass

        def test_careless(podjig_postgres):
            connection = podjig_postgres.connect()
            connection.execute("CREATE TABLE mine ()")
            kept.append(connection)
        """
    )
    result = project.runpytest_subprocess("-p", "no:randomly", "-p", "no:asyncio", "--forked", *options)
    result.assert_outcomes(passed=3, warnings=1)
    result.stdout.fnmatch_lines(["*LeftoverWarning: *::test_careless left behind *idle transaction*"])
    result.stdout.fnmatch_lines(
        ["podjig_postgres_server (postgres:17): *", "podjig_postgres (pool): 3 clean states in *"]
    )
