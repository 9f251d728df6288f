"""One container for all workers of pytest-xdist."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from podjig.engine.protocol import Engine

CONFTEST = """
import os
import pathlib
import pytest
from podjig import GenericContainer, PostgresContainer, RedisContainer, container_fixture

here = pathlib.Path(__file__).parent

def note(file, *what):
    with (here / file).open("a") as notes:
        print(*what, file=notes)

class Box(GenericContainer):
    def _launch(self):
        note("made", os.environ.get("PYTEST_XDIST_WORKER"))
        super()._launch()

def labelled(container):
    return container.with_labels({"podjig-test": os.environ["MARK"]})

def box(kind=Box):
    return labelled(kind("busybox", command="sleep 600"))

shared = container_fixture(box(), shared=True)
own = container_fixture(box())

@pytest.fixture(autouse=True)
def used(request):
    yield
    for name in {"shared", "own"} & set(request.fixturenames):
        note("used", name, request.getfixturevalue(name).id, os.environ.get("PYTEST_XDIST_WORKER"))
"""

TESTS = """
import pytest

@pytest.mark.parametrize("n", range(8))
@pytest.mark.xdist_group("all")
def test_it(shared, n):
    assert shared.exec(["echo", str(n)]).output == b"%d\\n" % n
"""


@pytest.fixture
def boxes(project: pytest.Pytester, mark: str) -> pytest.Pytester:
    """A project with a shared container and one that is not."""
    project.makeconftest(CONFTEST)
    return project


def lines(project: pytest.Pytester, name: str) -> list[list[str]]:
    file = project.path / name
    return [line.split() for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def run(project: pytest.Pytester, *options: str) -> pytest.RunResult:
    return project.runpytest_subprocess("-p", "no:randomly", "-p", "no:faker", *options)  # each takes a second to load


@pytest.mark.parametrize(
    "options",
    [
        ["-n2", "--dist=load"],
        ["-n2", "--dist=loadscope"],
        ["-n2", "--dist=loadgroup"],
        ["-n2", "--dist=worksteal"],
        ["--tx", f"2*popen//python={sys.executable}", "--dist=load"],
        ["-n0"],
    ],
    ids=lambda options: options[-1].strip("-"),
)
def test_it_is_made_once_however_tests_are_distributed(boxes: pytest.Pytester, options: list[str]) -> None:
    boxes.makepyfile(TESTS)
    run(boxes, *options).assert_outcomes(passed=8)
    assert len(lines(boxes, "made")) == 1
    assert len({container for _, container, _ in lines(boxes, "used")}) == 1


def test_each_worker_runs_all_with_the_one(boxes: pytest.Pytester) -> None:
    boxes.makepyfile(TESTS)
    run(boxes, "-n2", "--dist=each").assert_outcomes(passed=16)
    assert len(lines(boxes, "made")) == 1
    assert {worker for _, _, worker in lines(boxes, "used")} == {"gw0", "gw1"}


BOTH = """
import pathlib
import time
import conftest
import pytest

@pytest.mark.parametrize("n", range(2))
def test_it(shared, own, n, testrun_uid, worker_id):
    mine = conftest.here / f"here-{worker_id}"
    mine.touch()
    deadline = time.monotonic() + 60
    while len(list(conftest.here.glob("here-*"))) < 2:  # each worker gets one of the two
        assert time.monotonic() < deadline
        time.sleep(0.02)
"""


def test_what_tests_may_change_at_will_is_one_for_each_worker(boxes: pytest.Pytester) -> None:
    boxes.makepyfile(BOTH)
    run(boxes, "-n2").assert_outcomes(passed=2)
    containers = {name: {its for each, its, _ in lines(boxes, "used") if each == name} for name in ("shared", "own")}
    assert {name: len(ids) for name, ids in containers.items()} == {"shared": 1, "own": 2}


@pytest.mark.parametrize("way", ["option", "variable", "argument"])
def test_by_choice_each_worker_has_its_own(boxes: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    boxes.makepyfile(BOTH)
    if way == "variable":
        monkeypatch.setenv("PODJIG_XDIST", "worker")
    if way == "argument":
        boxes.makeconftest(CONFTEST.replace("shared=True", "shared=False"))
    run(boxes, "-n2", *(["--podjig-xdist=worker"] if way == "option" else [])).assert_outcomes(passed=2)
    assert len(lines(boxes, "made")) == 4


def test_postgres_and_redis_give_each_worker_a_part(project: pytest.Pytester, mark: str) -> None:
    project.makeconftest(
        f"{CONFTEST}\n"
        "pg = container_fixture(labelled(PostgresContainer('postgres:17', driver=None)))\n"
        "cache = container_fixture(labelled(RedisContainer('redis:8')))\n"
    )
    project.makepyfile(
        BOTH.replace("shared, own", "pg, cache")
        + """
    import psycopg
    with psycopg.connect(pg.get_connection_url()) as connection:
        connection.execute("CREATE TABLE mine ()")  # fails where another worker's is
        name, = connection.execute("SELECT current_database()").fetchone()
    with cache.get_client() as client:
        assert client.dbsize() == 0
        client.set("key", worker_id)
    conftest.note("parts", pg.id, name, cache.id, cache.get_connection_url().rpartition("/")[2])
"""
    )
    run(project, "-n2").assert_outcomes(passed=2)
    pg, names, cache, indexes = (set(column) for column in zip(*lines(project, "parts"), strict=True))
    assert (len(pg), len(cache)) == (1, 1), "they are not shared"
    assert (len(names), len(indexes)) == (2, 2), "they have the same part"


def test_each_parameter_is_a_container(boxes: pytest.Pytester) -> None:
    boxes.makeconftest(CONFTEST.replace("shared=True", "shared=True, images=['busybox', 'busybox:latest']"))
    boxes.makepyfile(TESTS)
    run(boxes, "-n2").assert_outcomes(passed=16)
    assert len(lines(boxes, "made")) == 2


@pytest.mark.parametrize(
    ("definition", "why"),
    [
        ("box().with_env('W', os.environ.get('PYTEST_XDIST_WORKER', ''))", "definitions differ"),
        ("box().expose_host_port(1)", "its port of this machine ends with its worker"),
    ],
)
def test_what_cannot_be_shared_is_not(boxes: pytest.Pytester, definition: str, why: str) -> None:
    boxes.makeconftest(CONFTEST.replace("fixture(box(), shared=True)", f"fixture({definition}, shared=True)"))
    boxes.makepyfile(BOTH)
    run(boxes, "-n2").assert_outcomes(passed=2)
    assert len({its for name, its, _ in lines(boxes, "used") if name == "shared"}) == 2, why


def test_a_failure_to_start_is_told_to_all_and_tried_once(boxes: pytest.Pytester) -> None:
    boxes.makeconftest(
        f"""{CONFTEST}
from podjig.errors import ContainerStartError
class Bad(GenericContainer):
    def _configure(self):
        note("tried")
        raise ContainerStartError("no luck today", hint="try tomorrow")
bad = container_fixture(box(Bad), shared=True)
"""
    )
    boxes.makepyfile(
        "import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_it(bad, n): pass\ndef test_good(shared): pass"
    )
    result = run(boxes, "-n2")
    result.assert_outcomes(errors=6, passed=1)
    assert len(lines(boxes, "tried")) == 1
    shown = result.stdout.str()
    assert shown.count("hint: try tomorrow") == 6
    assert re.search(r"no luck today \(told by gw\d\)", shown)


def test_stopping_at_the_first_failure_leaves_nothing(boxes: pytest.Pytester) -> None:
    boxes.makepyfile(TESTS.replace("    assert", "    assert n < 2\n    assert"))
    for option in ("-x", "--maxfail=2"):
        result = run(boxes, "-n2", option)
        assert result.ret != 0


def test_it_survives_the_crash_of_the_worker_that_made_it(boxes: pytest.Pytester) -> None:
    boxes.makepyfile(
        """
        import os, signal
        import conftest
        import pytest

        @pytest.mark.parametrize("n", range(6))
        def test_it(shared, n):
            marker = conftest.here / "crashed"
            made_it = (conftest.here / "made").read_text().split()[0] == os.environ["PYTEST_XDIST_WORKER"]
            if made_it and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            assert shared.status == "running"
        """
    )
    run(boxes, "-n2").assert_outcomes(passed=5, failed=1)
    assert len(lines(boxes, "made")) == 1
    assert len({its for _, its, _ in lines(boxes, "used")}) == 1


def test_another_makes_it_if_its_maker_dies_over_it(boxes: pytest.Pytester) -> None:
    boxes.makeconftest(
        f"""{CONFTEST}
import signal
class Deadly(Box):
    def _launch(self):
        first = not (here / "made").exists()
        super()._launch()
        if first:
            os.kill(os.getpid(), signal.SIGKILL)
deadly = container_fixture(box(Deadly), shared=True)
"""
    )
    boxes.makepyfile(
        "import pytest\n@pytest.mark.parametrize('n', range(4))\n"
        "def test_it(deadly, n):\n    assert deadly.status == 'running'"
    )
    run(boxes, "-n2").assert_outcomes(passed=3, failed=1)
    assert len(lines(boxes, "made")) == 2


def test_who_waits_waits_as_long_as_the_maker_takes_and_its_progress_is_shown(boxes: pytest.Pytester) -> None:
    boxes.makeconftest(
        f"""{CONFTEST}
import time
from podjig.image import progress
class Slow(Box):
    def _launch(self):
        with progress.ProgressLine("podjig: pulling something large") as line:
            time.sleep(progress._QUIET_FOR + 0.1)
            line.update("layer 1 of 2")
        super()._launch()
slow = container_fixture(box(Slow), shared=True)
"""
    )
    boxes.makepyfile(BOTH.replace("shared, own", "slow"))
    result = run(boxes, "-n2")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*podjig: pulling something large [[]1s[]] layer 1 of 2*"])


def test_workers_whose_controller_says_nothing_are_told_the_way_out(boxes: pytest.Pytester) -> None:
    boxes.makepyfile(TESTS)
    boxes.makepyfile(
        silent="""
        import pytest
        @pytest.hookimpl(trylast=True, optionalhook=True)
        def pytest_configure_node(node):
            node.workerinput.pop("podjig")
        """
    )
    result = run(boxes, "-n2", "-p", "silent")
    result.assert_outcomes(errors=8)
    result.stdout.fnmatch_lines(["*told nothing about shared containers by its controller*", "*--podjig-xdist=worker*"])
    run(boxes, "-n2", "-p", "silent", "--podjig-xdist=worker").assert_outcomes(passed=8)


def test_the_plugin_switched_off_is_switched_off_in_workers_too(boxes: pytest.Pytester) -> None:
    boxes.makeconftest("")
    boxes.makepyfile("def test_it(): pass")
    run(boxes, "-n2", "-p", "no:podjig").assert_outcomes(passed=1)


def test_early_starts_what_is_shared_once(boxes: pytest.Pytester) -> None:
    boxes.makepyfile(TESTS + "\ndef test_own(own): pass")
    run(boxes, "-n2", "--podjig-early").assert_outcomes(passed=9)
    assert len(lines(boxes, "made")) == 2


@pytest.fixture
def under_way(boxes: pytest.Pytester, engine: Engine, mark: str) -> Iterator[subprocess.Popen[str]]:
    """A run whose tests do not end."""
    boxes.makepyfile(BOTH + "    time.sleep(600)\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-n2", "-p", "no:cacheprovider"],
        cwd=boxes.path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while len(list(boxes.path.glob("here-*"))) < 2:
            assert time.monotonic() < deadline, "it did not begin"
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def nothing_is_left(engine: Engine, mark: str) -> bool:
    deadline = time.monotonic() + 30
    while engine.list_containers(labels={"podjig-test": mark}):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ending_the_controller_leaves_nothing(
    under_way: subprocess.Popen[str], engine: Engine, mark: str, number: signal.Signals
) -> None:
    under_way.send_signal(number)
    under_way.communicate(timeout=60)
    assert nothing_is_left(engine, mark)


def test_what_a_worker_keeps_outlives_the_run(boxes: pytest.Pytester, engine: Engine, mark: str) -> None:
    boxes.makepyfile("def test_it(shared):\n    shared.keep(60, why='to look at it')")
    run(boxes, "-n1").assert_outcomes(passed=1)
    left = engine.list_containers(labels={"podjig-test": mark})
    for container in left:
        engine.remove_container(container.id)
    assert [container.id for container in left] == [lines(boxes, "used")[0][1]]


def test_no_engine_is_told_to_each_test(
    project: pytest.Pytester, no_engine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK", "none")
    project.makeconftest(CONFTEST)
    project.makepyfile(TESTS)
    result = run(project, "-n2")
    result.assert_outcomes(errors=8)
    assert result.stdout.str().count("no container engine answered") >= 8


def test_without_containers_the_engine_is_not_touched(boxes: pytest.Pytester) -> None:
    boxes.makepyfile(
        probe="""
        import sys

        def pytest_unconfigure(config):
            heavy = {"podman", "podjig.engine.discovery", "podjig.cleanup.session"} & set(sys.modules)
            print("loaded:", sorted(heavy))
        """,
        test_it="def test_it(): pass",
    )
    boxes.makeconftest("")
    result = run(boxes, "-n1", "-p", "probe", "-p", "no:terminal")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["loaded: []"])
