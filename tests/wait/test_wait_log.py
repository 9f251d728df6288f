"""Waiting for the log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from podjig import ExecWaitStrategy, GenericContainer, LogMessageWaitStrategy, wait_for_logs
from podjig.errors import ContainerExited, DefinitionError, WaitTimeout

SAYS = """
echo starting up
echo 'listening on [::]:80 (tcp)'
echo ready
echo ready
echo both
echo both >&2
echo 'only here' >&2
printf 'no line end'
exec sleep 600
"""


@pytest.fixture(scope="module")
def talker() -> Iterator[GenericContainer]:
    container = GenericContainer("busybox", command=["sh", "-c", SAYS])
    with container.waiting_for(LogMessageWaitStrategy("no line end")) as started:
        yield started


def found(container: GenericContainer, strategy: LogMessageWaitStrategy) -> str | None:
    return strategy.check(container)


@pytest.mark.parametrize(
    "strategy",
    [
        LogMessageWaitStrategy("starting up"),
        LogMessageWaitStrategy("no line end"),
        LogMessageWaitStrategy("^start.*up$"),
        LogMessageWaitStrategy(re.compile("STARTING", re.IGNORECASE)),
        LogMessageWaitStrategy("[::]:80 (tcp)"),  # as it is, though it means something else as a pattern
        LogMessageWaitStrategy("(tcp"),  # no pattern at all
        LogMessageWaitStrategy("ready", times=2),
        LogMessageWaitStrategy("^(ready|starting)", times=3),
        LogMessageWaitStrategy("only here"),
        LogMessageWaitStrategy("only here", stream="stderr"),
        LogMessageWaitStrategy("both", stream="both"),
        LogMessageWaitStrategy("both", 1, True),
    ],
    ids=lambda strategy: strategy.describe(),
)
def test_it_is_found(talker: GenericContainer, strategy: LogMessageWaitStrategy) -> None:
    assert found(talker, strategy) is None


@pytest.mark.parametrize(
    ("strategy", "missing"),
    [
        (LogMessageWaitStrategy("[::]:81 (tcp)"), "found it 0 of 1 times"),
        (LogMessageWaitStrategy("ready", times=3), "found it 2 of 3 times"),
        (LogMessageWaitStrategy("both", times=2), "found it 1 of 2 times"),  # streams are not added up
        (LogMessageWaitStrategy("only here", stream="stdout"), "found it 0 of 1 times"),
        (LogMessageWaitStrategy("only here", stream="both"), "found it 0 of 1 times"),
        (LogMessageWaitStrategy(re.compile("starting up$.")), "found it 0 of 1 times"),
    ],
    ids=lambda value: value.describe() if isinstance(value, LogMessageWaitStrategy) else "",
)
def test_what_is_missing_is_counted(talker: GenericContainer, strategy: LogMessageWaitStrategy, missing: str) -> None:
    assert found(talker, strategy) == missing


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (LogMessageWaitStrategy("x"), "'x' in the log"),
        (LogMessageWaitStrategy("x", times=2), "'x' 2 times in the log"),
        (LogMessageWaitStrategy(re.compile("x+"), stream="stderr"), "'x+' in the log on stderr"),
        (LogMessageWaitStrategy("x", stream="both"), "'x' in the log on stdout and stderr"),
    ],
)
def test_it_says_what_it_waits_for(strategy: LogMessageWaitStrategy, words: str) -> None:
    assert strategy.describe() == words


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: LogMessageWaitStrategy(""), "''"),
        (lambda: LogMessageWaitStrategy(b"x"), "b'x'"),  # type: ignore[arg-type]
        (lambda: LogMessageWaitStrategy("x", times=0), "0"),
        (lambda: LogMessageWaitStrategy("x", stream="stdin"), "'stdin'"),  # type: ignore[arg-type]
        (lambda: LogMessageWaitStrategy("x").with_startup_timeout(-1), "-1"),
        (lambda: LogMessageWaitStrategy("x").with_poll_interval(float("nan")), "nan"),
    ],
)
def test_bad_values_are_refused_at_once_and_named(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(says)):
        make()


@pytest.mark.parametrize(
    "predicate",
    [
        "ready",
        "^rea",
        re.compile("READY", re.IGNORECASE),
        lambda text: text.count("ready") == 2,
        ExecWaitStrategy("true"),
    ],
    ids=["text", "pattern text", "pattern", "function", "strategy"],
)
def test_wait_for_logs_takes_all_of_these_and_returns_the_seconds(talker: GenericContainer, predicate: Any) -> None:
    assert wait_for_logs(talker, predicate, timeout=timedelta(seconds=10)) >= 0


def test_wait_for_logs_with_both_streams(talker: GenericContainer) -> None:
    wait_for_logs(talker, "both", timeout=10, predicate_streams_and=True)
    wait_for_logs(talker, lambda text: "both" in text, timeout=10, predicate_streams_and=True)
    with pytest.raises(WaitTimeout, match="waited for 'ready' in the log on stdout and stderr"):
        wait_for_logs(talker, "ready", timeout=0, predicate_streams_and=True)
    with pytest.raises(WaitTimeout, match=r"waited for <lambda>\(log\) to be true"):
        wait_for_logs(talker, lambda text: "ready" in text, timeout=0, predicate_streams_and=True)


def test_wait_for_logs_times_out_with_the_last_lines(talker: GenericContainer) -> None:
    with pytest.raises(WaitTimeout, match="waited for 'never' in the log; found it 0 of 1 times") as caught:
        wait_for_logs(talker, "never", timeout=0.05, interval=0.01)
    assert "no line end" in caught.value.logs


@pytest.mark.parametrize(
    "arguments",
    [{"timeout": -1}, {"interval": -0.1}, {"timeout": timedelta(seconds=-1)}, {"timeout": "5"}],
    ids=str,
)
def test_wait_for_logs_refuses_such_times(talker: GenericContainer, arguments: dict[str, Any]) -> None:
    (value,) = arguments.values()
    with pytest.raises(DefinitionError, match=re.escape(repr(value).removeprefix("datetime.").split("(")[0])[:3]):
        wait_for_logs(talker, "ready", **arguments)


def test_wait_for_logs_refuses_other_predicates(talker: GenericContainer) -> None:
    with pytest.raises(DefinitionError, match="predicate 5 is neither"):
        wait_for_logs(talker, 5)  # type: ignore[arg-type]


def test_the_end_of_the_container_ends_the_wait_unless_told_otherwise() -> None:
    with GenericContainer("busybox", command=["sh", "-c", "echo done; exit 4"]) as job:
        assert job.wait(timeout=10) == 4
        wait_for_logs(job, "done")
        with pytest.raises(ContainerExited, match="exited with code 4"):
            wait_for_logs(job, "never", timeout=10)
        with pytest.raises(WaitTimeout):
            wait_for_logs(job, "never", timeout=0.1, raise_on_exit=False)


def test_what_it_wrote_last_counts_even_if_it_has_ended() -> None:
    job = GenericContainer("busybox", command="echo the last word").waiting_for(LogMessageWaitStrategy("last word"))
    with job:
        assert job.wait(timeout=10) == 0
