"""What a container writes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from podjig import GenericContainer, LogMessageWaitStrategy
from podjig.errors import NotStartedError

# The pauses keep the streams' order: the engine reads each by itself.
LINES = "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three; echo four; exec sleep 600"


@pytest.fixture(scope="module")
def talker() -> Iterator[GenericContainer]:
    container = GenericContainer("busybox", command=["sh", "-c", LINES])
    with container.waiting_for(LogMessageWaitStrategy("four")) as started:
        yield started


def test_both_streams_as_the_peers_have_them(talker: GenericContainer) -> None:
    assert talker.get_logs() == (b"one\nthree\nfour\n", b"two\n")


def test_the_whole_as_text_in_order(talker: GenericContainer) -> None:
    assert talker.logs() == "one\ntwo\nthree\nfour\n"


def test_one_stream(talker: GenericContainer) -> None:
    assert talker.logs(stderr=False) == "one\nthree\nfour\n"
    assert talker.logs(stdout=False) == "two\n"
    assert talker.logs(stdout=False, stderr=False) == ""


def test_the_tail(talker: GenericContainer) -> None:
    assert talker.logs(tail=2) == "three\nfour\n"
    assert talker.logs(tail=100) == talker.logs()
    assert talker.logs(tail=0) == ""


def test_since() -> None:
    script = "echo early; while [ ! -e /tmp/go ]; do sleep 0.01; done; echo late; sleep 600"
    with GenericContainer("busybox", command=["sh", "-c", script]).waiting_for(LogMessageWaitStrategy("early")) as box:
        between = time.time()
        box.exec("touch /tmp/go")
        LogMessageWaitStrategy("late").wait_until_ready(box)
        assert box.logs(since=between) == "late\n"
        assert box.logs(since=0) == "early\nlate\n"
        assert box.logs(since=time.time() + 60) == ""


def test_bytes_that_are_no_text() -> None:
    with GenericContainer("busybox", command=["printf", r"ok \377\376\200 ok\n"]) as box:
        assert box.wait(timeout=10) == 0
        assert box.get_logs() == (b"ok \xff\xfe\x80 ok\n", b"")
        assert box.logs() == "ok \ufffd\ufffd\ufffd ok\n"
        assert list(box.follow_logs()) == ["ok \ufffd\ufffd\ufffd ok"]


def test_characters_are_not_cut_between_chunks() -> None:
    command = ["sh", "-c", r"printf '\303'; sleep 0.3; printf '\244\nlast'"]
    with GenericContainer("busybox", command=command) as box:
        assert list(box.follow_logs()) == ["ä", "last"]


def test_long_lines_stay_whole() -> None:
    command = ["sh", "-c", "yes x | head -n 50000 | tr -d '\\n'; echo; echo end"]
    with GenericContainer("busybox", command=command) as box:
        assert box.wait(timeout=20) == 0
        assert box.logs() == "x" * 50_000 + "\nend\n"
        assert [len(line) for line in box.follow_logs()] == [50_000, 3]


def test_following_until_the_end() -> None:
    command = ["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.1; done; printf partial; exit 3"]
    with GenericContainer("busybox", command=command) as box:
        assert list(box.follow_logs()) == ["line 1", "line 2", "line 3", "partial"]


def test_following_brings_lines_as_they_are_written() -> None:
    script = "echo first; while [ ! -e /tmp/go ]; do sleep 0.01; done; echo second"
    with GenericContainer("busybox", command=["sh", "-c", script]) as box:
        lines = box.follow_logs()
        assert next(lines) == "first"
        box.exec("touch /tmp/go")
        assert next(lines) == "second"
        assert list(lines) == []


def test_following_may_stop_early(talker: GenericContainer) -> None:
    lines = cast("Any", talker.follow_logs())
    assert next(lines) == "one"
    lines.close()
    assert list(lines) == []
    assert talker.status == "running"


def test_following_from_somewhere(talker: GenericContainer) -> None:
    lines = cast("Any", talker.follow_logs(stderr=False, tail=10))
    assert [next(lines), next(lines)] == ["one", "three"]
    lines.close()


def test_following_one_stream() -> None:
    with GenericContainer("busybox", command=["sh", "-c", "echo out; echo err >&2; echo out"]) as box:
        assert list(box.follow_logs(stdout=False)) == ["err"]


def test_parts_of_lines_of_two_streams_are_not_mixed_up() -> None:
    command = ["sh", "-c", "printf 'out '; sleep 0.2; echo err >&2; sleep 0.2; echo put"]
    with GenericContainer("busybox", command=command) as box:
        assert list(box.follow_logs()) == ["err", "out put"]


def test_following_one_that_has_ended() -> None:
    with GenericContainer("busybox", command="echo done") as box:
        assert box.wait(timeout=10) == 0
        assert list(box.follow_logs()) == ["done"]


def test_a_silent_container_has_no_logs() -> None:
    with GenericContainer("busybox", command="true") as box:
        assert box.wait(timeout=10) == 0
        assert (box.get_logs(), box.logs(), list(box.follow_logs())) == ((b"", b""), "", [])


def test_before_the_start_there_are_no_logs() -> None:
    with pytest.raises(NotStartedError):
        GenericContainer("busybox").logs()
