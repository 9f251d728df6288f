"""Containers that one test needs are started side by side."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time

import pytest

from podjig.engine.protocol import Engine

CONFTEST = """
import os
import threading
from podjig import GenericContainer, container_fixture
from podjig.errors import ContainerStartError

here = os.path.dirname(__file__)

def note(what):
    with open(os.path.join(here, "notes"), "a") as file:
        print(what, file=file)

class Box(GenericContainer):
    def _configure(self):
        note("start")

class Bad(GenericContainer):
    def _configure(self):
        raise ContainerStartError("no luck today")

def box(kind=Box):
    return kind("busybox", command="sleep 600").with_labels({"podjig-test": os.environ["MARK"]})
"""


def started(project: pytest.Pytester) -> int:
    notes = project.path / "notes"
    return notes.read_text(encoding="utf-8").count("start") if notes.exists() else 0


@pytest.mark.usefixtures("mark")
@pytest.mark.parametrize("scope", ["session", "function"])
def test_they_are_under_way_at_the_same_time(project: pytest.Pytester, scope: str) -> None:
    project.makeconftest(
        f"""{CONFTEST}
barrier = threading.Barrier(3, timeout=60)  # broken if they were started one after another
class Meeting(GenericContainer):
    def _configure(self):
        barrier.wait()
one, two, three = (container_fixture(box(Meeting), scope={scope!r}, name=name) for name in ("one", "two", "three"))
"""
    )
    project.makepyfile(
        "def test_it(one, request, two, three):\n"
        "    assert len({each.id for each in (one, two, three)}) == 3\n"
        "    assert one.status == two.status == three.status == 'running'"
    )
    project.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.usefixtures("mark")
def test_while_a_hand_written_fixture_is_set_up(project: pytest.Pytester) -> None:
    project.makeconftest(
        f"""{CONFTEST}
import pytest
begun = threading.Event()
class Early(GenericContainer):
    def _configure(self):
        begun.set()

@pytest.fixture
def slow():
    assert begun.wait(60)

one = container_fixture(box(Early))
two = container_fixture(box())

@pytest.fixture
def both(slow, one, two):
    return one, two
"""
    )
    project.makepyfile("def test_it(both):\n    assert [each.status for each in both] == ['running'] * 2")
    project.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.usefixtures("mark")
def test_a_failure_is_the_tests_and_what_else_was_begun_serves_later_tests(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nbad = container_fixture(box(Bad))\ngood = container_fixture(box())")
    project.makepyfile("def test_a(bad, good): pass\ndef test_b(good, bad): pass\ndef test_c(good): good.status")
    result = project.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=1, errors=2)
    assert "no luck today" in result.stdout.str()
    assert started(project) == 1


@pytest.mark.usefixtures("mark")
def test_a_failure_looks_as_if_raised_in_the_fixture(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\nbad = container_fixture(box(Bad))\ngood = container_fixture(box())")
    project.makepyfile("def test_a(bad, good): pass")
    shown = project.runpytest_subprocess().stdout.str()
    assert "no luck today" in shown
    for noise in ("threading.py", "start.py", "_in_turn", "daemon", "PytestUnhandledThreadExceptionWarning"):
        assert noise not in shown


def test_what_only_the_failed_test_needed_is_gone_before_the_next(
    project: pytest.Pytester, engine: Engine, mark: str
) -> None:
    project.makeconftest(
        f"{CONFTEST}\nbad = container_fixture(box(Bad))\ngood = container_fixture(box(), scope='function')"
    )
    project.makepyfile(
        f"""
        import time
        from podjig.engine.discovery import current_engine
        def test_a(bad, good): pass
        def test_b():
            deadline = time.monotonic() + 30
            while current_engine().list_containers(labels={{"podjig-test": {mark!r}}}):
                assert time.monotonic() < deadline, "it was left running"
                time.sleep(0.05)
        """
    )
    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(passed=1, errors=1)
    assert started(project) == 1


@pytest.mark.usefixtures("mark")
def test_a_skipped_test_starts_nothing(project: pytest.Pytester) -> None:
    project.makeconftest(f"{CONFTEST}\none = container_fixture(box())\ntwo = container_fixture(box())")
    project.makepyfile(
        "import pytest\n@pytest.mark.skip\ndef test_a(one, two): pass\n"
        "@pytest.mark.skipif(True, reason='no')\ndef test_b(one, two): pass\n"
    )
    project.runpytest_subprocess().assert_outcomes(skipped=2)
    project.runpytest_subprocess("--setup-plan")
    assert started(project) == 0


def test_ctrl_c_in_the_middle_leaves_nothing(project: pytest.Pytester, engine: Engine, mark: str) -> None:
    project.makeconftest(
        f"{CONFTEST}\nfrom podjig.wait.log import LogMessageWaitStrategy as Log\n"
        "one, two = (container_fixture(box().waiting_for(Log('never')), name=name) for name in ('one', 'two'))"
    )
    project.makepyfile("def test_a(one, two): pass")
    run = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=project.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while len(running := engine.list_containers(labels={"podjig-test": mark})) < 2:
            assert time.monotonic() < deadline, f"only {running} started"
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 2, output
    assert "KeyboardInterrupt" in output
    assert re.search(r"never|Exception in thread", output) is None, output
    assert engine.list_containers(labels={"podjig-test": mark}) == []


@pytest.mark.usefixtures("mark")
def test_what_was_begun_for_a_test_that_could_not_be_set_up_is_not_given_where_another_image_is_chosen(
    project: pytest.Pytester,
) -> None:
    project.makeconftest(
        f"""{CONFTEST}
bad = container_fixture(box(Bad))
mybox = container_fixture(box())
"""
    )
    project.makepyfile(
        """
        import pytest

        def test_fails_before_it_takes_it(bad, mybox): pass

        @pytest.mark.parametrize("mybox", ["busybox:latest"], indirect=True)
        def test_chosen(mybox):
            assert mybox.image == "busybox:latest"
        """
    )
    project.runpytest_subprocess("-p", "no:randomly").assert_outcomes(errors=1, passed=1)


@pytest.mark.usefixtures("mark")
def test_what_a_timeout_interrupts_is_put_away(project: pytest.Pytester) -> None:
    project.makeconftest(
        f"""{CONFTEST}
slow = container_fixture(box().with_labels({{"podjig-test": os.environ["MARK"], "slow": "1"}})
    .waiting_for(lambda container: False), scope="function")
other = container_fixture(box())
"""
    )
    project.makepyfile(
        """
        import os, time
        import pytest
        from podjig.engine.discovery import current_engine

        def there():
            return current_engine().list_containers(labels={"podjig-test": os.environ["MARK"], "slow": "1"})

        @pytest.mark.timeout(4)
        def test_times_out(slow, other): pass

        def test_next():
            deadline = time.monotonic() + 20
            while there():
                assert time.monotonic() < deadline, "it is started though nobody waits for it"
                time.sleep(0.1)
        """
    )
    result = project.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*Timeout*4*s*"])
