"""The section ``podjig`` of the terminal's summary."""

from __future__ import annotations

import re

import pytest

from plugin.talking import CONFTEST
from podjig.pytest_plugin.record import How, Records, ServiceRecord
from podjig.pytest_plugin.summary import lines


@pytest.mark.usefixtures("mark")
def test_services_are_told_with_image_time_and_what_was_waited_for(project: pytest.Pytester) -> None:
    project.makeconftest(
        f"{CONFTEST}\n"
        "from podjig import LogMessageWaitStrategy\n"
        "talks = container_fixture(GenericContainer('busybox', command=['sh', '-c', 'echo hello; sleep 600'])"
        ".with_labels({'podjig-test': os.environ['MARK']}).waiting_for(LogMessageWaitStrategy('hello')))"
    )
    project.makepyfile("def test_a(shared, talks, mine): pass\ndef test_b(mine): pass")
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=2)
    result.stdout.re_match_lines_random(
        [
            r"=+ podjig =+",
            r"shared \(busybox\): started in \d+\.\d\d s$",
            r"talks \(busybox\): started in \d+\.\d\d s, waited for .*hello.*",
            r"mine \(busybox\): started 2 times, \d+\.\d\d s each$",
        ]
    )
    verbose = project.runpytest_subprocess("-v").stdout.str()
    one_by_one = r"^mine \(busybox\): started in \d+\.\d\d s, container [0-9a-f]{12}$"
    assert len(re.findall(one_by_one, verbose, re.MULTILINE)) == 2
    assert " podjig =" not in project.runpytest_subprocess("-q").stdout.str()


@pytest.mark.usefixtures("mark")
def test_workers_records_are_summed_up_by_the_controller(project: pytest.Pytester) -> None:
    project.makeconftest(CONFTEST)
    project.makepyfile("import pytest\n@pytest.mark.parametrize('n', range(6))\ndef test_it(shared, n): pass")
    result = project.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=6)
    result.stdout.re_match_lines([r"shared \(busybox\): started 2 times, \d+\.\d\d s each"])


def test_there_is_no_section_without_a_container(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(): pass")
    for args in ((), ("-v",), ("-n", "1")):
        assert " podjig =" not in project.runpytest_subprocess(*args).stdout.str()


def test_the_cost_of_clean_states_is_added_up_over_workers() -> None:
    controller = Records()
    for worker in ("gw0", "gw1"):
        records = Records(worker)
        how: How = "started" if worker == "gw0" else "shared"
        records.service(
            ServiceRecord(
                fixture="pg", image="postgres:16", container="c" * 64, seconds=0.5, waited_for="its log", how=how
            )
        )
        for _ in range(10):
            records.isolation(fixture="db", mode="pool", waited=0.002, released=0.001)
        controller.load(records.dump())
    assert lines(controller.services, controller.isolations) == [
        "pg (postgres:16): started in 0.50 s, shared by 2 workers, waited for its log",
        "db (pool): 20 clean states in 0.06 s, 3.00 ms each",
    ]
    assert lines(controller.services, controller.isolations, verbose=True) == [
        "pg (postgres:16) (gw0): started in 0.50 s, waited for its log, container cccccccccccc",
        "pg (postgres:16) (gw1): shared in 0.50 s, waited for its log, container cccccccccccc",
        "db (pool): 20 clean states in 0.06 s, 3.00 ms each",
        "  gw0: 10 clean states in 0.03 s, 3.00 ms each",
        "  gw1: 10 clean states in 0.03 s, 3.00 ms each",
    ]


def test_reused_services_are_told_as_such() -> None:
    records = Records()
    records.service(ServiceRecord(fixture="pg", image="postgres:16", container="c", seconds=0.04, how="reused"))
    assert lines(records.services, records.isolations) == ["pg (postgres:16): reused in 0.04 s"]
