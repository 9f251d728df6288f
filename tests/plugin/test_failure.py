"""What a failing test shows of its containers."""

from __future__ import annotations

import re

import pytest

from plugin.talking import CONFTEST, sections


@pytest.fixture(autouse=True)
def talking(project: pytest.Pytester, mark: str) -> None:
    """A project whose containers say what they are told."""
    project.makeconftest(CONFTEST)


def run(project: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run the project's tests in the order in which they are written."""
    return project.runpytest_subprocess("-p", "no:randomly", *args)


def test_only_what_was_written_since_the_test_began_is_shown(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from conftest import say
        def test_before(shared): say(shared, "of the test before")
        def test_it(shared, mine):
            say(shared, "shared speaks")
            say(mine, "mine speaks")
            assert False
        """
    )
    result = run(project)
    result.assert_outcomes(passed=1, failed=1)
    shown = sections(result.stdout.str())
    assert shown["shared"][0] == "shared speaks"
    assert shown["mine"][0] == "mine speaks"
    assert "of the test before" not in result.stdout.str()


def test_a_container_used_only_through_another_fixture_is_shown(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from conftest import say
        @pytest.fixture(scope="session")
        def app(shared): return shared
        def test_before(app): pass
        def test_it(app):
            say(app, "through another")
            assert False
        def test_asked_for_late(request):
            say(request.getfixturevalue("shared"), "asked for late")
            assert False
        """
    )
    result = run(project)
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*podjig: shared, container *", "through another"])
    result.stdout.fnmatch_lines(["*podjig: shared, container *", "asked for late"])


def test_a_failing_setup_and_a_failing_teardown_show_them_too(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from conftest import say
        @pytest.fixture
        def before(mine):
            say(mine, "in the setup")
            raise ValueError
        @pytest.fixture
        def after(mine):
            yield
            say(mine, "in the teardown")
            raise ValueError
        def test_setup(before): pass
        def test_teardown(after): pass
        """
    )
    result = run(project)
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*podjig: mine, container *", "in the setup"])
    result.stdout.fnmatch_lines(["*podjig: mine, container *", "in the teardown"])


def test_a_container_that_the_test_itself_starts_is_shown_though_it_is_gone(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from conftest import box, say
        def test_it():
            with box() as running:
                say(running, "short lived")
                assert False
        """
    )
    assert sections(run(project).stdout.str())["the test's own"][0] == "short lived"


def test_one_that_died_is_told_first_with_its_exit_code(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from conftest import die, say
        def test_it(shared, mine):
            say(mine, "last words")
            die(mine)
            assert False
        """
    )
    shown = sections(run(project).stdout.str())
    assert list(shown) == ["mine", "shared"]
    assert shown["mine"][:2] == ["It has ended, with exit code 3.", "last words"]


def test_long_output_is_cut_and_the_command_that_shows_all_is_told(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        def test_it(mine):
            mine.exec(["sh", "-c", "for n in $(seq 1 120); do echo line-$n; done > /proc/1/fd/1"])
            while "line-120" not in mine.logs(): pass
            assert False
        """
    )
    shown = sections(run(project).stdout.str())["mine"]
    assert [shown[0], shown[49]] == ["line-71", "line-120"]
    assert re.fullmatch(
        r"\(70 lines before these since the test began; all of it, with --podjig-keep=on-failure: .*podman logs \S+\)",
        shown[50],
    )
    assert sections(run(project, "--podjig-logs=2").stdout.str())["mine"][:2] == ["line-119", "line-120"]
    assert sections(run(project, "--podjig-logs=0").stdout.str()) == {}


def test_a_container_that_wrote_nothing_takes_one_line(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(mine): assert False")
    assert sections(run(project).stdout.str())["mine"][0] == "It wrote nothing since the test began."


def test_an_engine_that_cannot_be_asked_does_not_hide_the_failure(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from podjig.errors import EngineUnavailable
        def broken(*args, **kwargs): raise EngineUnavailable("the engine is on strike")
        @pytest.fixture(autouse=True)
        def strike(mine):
            mine.engine.logs = broken
            yield
            del mine.engine.logs
        def test_it(mine): assert 1 == 2
        """
    )
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*assert 1 == 2", "*podjig: mine, *", "Its logs cannot be read: the engine is on strike"]
    )


def test_a_hanging_engine_is_given_up_on_once(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import time, pytest
        from podjig.pytest_plugin import failure
        failure._DEADLINE = 0.2
        calls = []
        def hanging(*args, **kwargs):
            calls.append(1)
            time.sleep(1)
            return []
        @pytest.fixture(autouse=True, scope="module")
        def asleep(shared):
            shared.engine.logs = hanging
            yield
            del shared.engine.logs
        @pytest.mark.parametrize("n", range(3))
        def test_it(shared, n): assert n < 0
        def test_asked_once(): assert len(calls) == 1
        """
    )
    result = run(project)
    result.assert_outcomes(failed=3, passed=1)
    assert result.stdout.str().count("The engine did not answer within 0.2 s; it is not asked for logs again.") == 3


@pytest.mark.parametrize("args", [("-x",), ("--tb=no",), ("--show-capture=no",), ("-p", "no:terminal"), ("--tb=line",)])
def test_other_ways_to_report_get_along_with_it(project: pytest.Pytester, args: tuple[str, ...]) -> None:
    project.makepyfile("from conftest import say\ndef test_it(mine):\n    say(mine, 'hello')\n    assert False")
    result = run(project, *args)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


def test_the_sections_come_from_the_workers_of_xdist(project: pytest.Pytester) -> None:
    project.makepyfile("from conftest import say\ndef test_it(mine):\n    say(mine, 'from afar')\n    assert False")
    assert sections(run(project, "-n", "1").stdout.str())["mine"][0] == "from afar"


def test_passing_expected_to_fail_and_skipped_tests_show_nothing(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from conftest import say
        def test_passes(mine): say(mine, "quiet")
        @pytest.mark.xfail
        def test_expected(mine): assert False
        def test_skipped(mine): pytest.skip("so")
        """
    )
    assert sections(run(project, "-rA").stdout.str()) == {}


def test_the_environment_is_not_shown(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        from conftest import box, die
        def test_it():
            with box().with_env("PASSWORD", "hunter2") as running:
                die(running)
                raise ValueError
        """
    )
    result = run(project)
    result.assert_outcomes(failed=1)
    assert "exit code 3" in result.stdout.str()
    assert "hunter2" not in result.stdout.str().partition("podjig: the test's own")[2]
