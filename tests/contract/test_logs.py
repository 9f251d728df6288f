from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from podjig.engine.protocol import Engine
from podjig.engine.values import OutputChunk

Create = Callable[..., str]


def text(chunks: list[OutputChunk], stream: str | None = None) -> str:
    return b"".join(chunk.data for chunk in chunks if stream in (None, chunk.stream)).decode()


@pytest.fixture
def ended(engine: Engine, run: Create) -> str:
    """A container that wrote four lines and ended."""
    box = run("echo one; sleep 0.3; echo two >&2; sleep 0.3; echo three; echo four")
    engine.wait_container(box, timeout=10)
    return box


def test_logs_keep_both_streams_in_order(engine: Engine, ended: str) -> None:
    chunks = engine.logs(ended)
    assert text(chunks) == "one\ntwo\nthree\nfour\n"
    assert text(chunks, "stdout") == "one\nthree\nfour\n"
    assert text(chunks, "stderr") == "two\n"


def test_logs_of_one_stream(engine: Engine, ended: str) -> None:
    assert text(engine.logs(ended, stderr=False)) == "one\nthree\nfour\n"
    assert text(engine.logs(ended, stdout=False)) == "two\n"
    assert engine.logs(ended, stdout=False, stderr=False) == []


def test_the_last_lines(engine: Engine, ended: str) -> None:
    assert text(engine.logs(ended, tail=2)) == "three\nfour\n"
    assert engine.logs(ended, tail=0) == []


def test_logs_since_a_time(engine: Engine, ended: str) -> None:
    state = engine.inspect_container(ended).state
    assert state.started_at is not None
    assert text(engine.logs(ended, since=state.started_at + 0.45)) == "three\nfour\n"
    assert engine.logs(ended, since=time.time() + 60) == []


def test_a_container_that_wrote_nothing_has_empty_logs(engine: Engine, create: Create) -> None:
    assert engine.logs(create()) == []


def test_the_last_line_needs_no_end(engine: Engine, run: Create) -> None:
    box = run("printf unfinished")
    engine.wait_container(box, timeout=10)
    assert text(engine.logs(box)) == "unfinished"


@pytest.mark.needs("processes")
def test_a_terminal_has_one_stream(engine: Engine, run: Create) -> None:
    box = run("echo one; echo two >&2", engine_options={"terminal": True})
    engine.wait_container(box, timeout=10)
    assert text(engine.logs(box), "stdout") == "one\r\ntwo\r\n"


@pytest.mark.needs("processes")
def test_long_and_binary_output_arrives_whole(engine: Engine, run: Create) -> None:
    box = run("head -c 100000 /dev/zero | tr '\\0' x; echo; printf '\\001\\000\\000\\000\\000\\000\\000\\003'")
    engine.wait_container(box, timeout=10)
    assert text(engine.logs(box)) == "x" * 100000 + "\n" + "\1\0\0\0\0\0\0\3"


def test_following_yields_what_comes_until_the_end(engine: Engine, run: Create) -> None:
    box = run("echo one; sleep 0.3; echo two >&2; sleep 0.3; echo three")
    assert text(list(engine.follow_logs(box))) == "one\ntwo\nthree\n"
    assert engine.inspect_container(box).state.ended


def test_following_one_stream(engine: Engine, run: Create) -> None:
    box = run("echo one; echo two >&2; sleep 0.2; echo three >&2")
    assert text(list(engine.follow_logs(box, stdout=False))) == "two\nthree\n"


def test_following_from_the_last_lines(engine: Engine, run: Create) -> None:
    box = run("echo one; echo two; sleep 1; echo three")
    while len(engine.logs(box)) < 2:
        time.sleep(0.01)
    assert text(list(engine.follow_logs(box, tail=1))) == "two\nthree\n"


def test_following_an_ended_container_yields_its_logs(engine: Engine, ended: str) -> None:
    assert text(list(engine.follow_logs(ended))) == "one\ntwo\nthree\nfour\n"


def test_closing_ends_it_between_two_pieces(engine: Engine, run: Create) -> None:
    followed = engine.follow_logs(run("echo one; sleep 100"))
    assert next(followed).data == b"one\n"
    followed.close()
    followed.close()
    assert list(followed) == []


@pytest.mark.parametrize("line", ["sleep 100", "echo one; sleep 100"], ids=["silent", "once"])
def test_closing_from_another_thread_ends_the_waiting(engine: Engine, run: Create, line: str) -> None:
    followed = engine.follow_logs(run(line))
    timer = threading.Timer(0.4, followed.close)
    timer.start()
    before = time.monotonic()
    list(followed)
    assert time.monotonic() - before < 100, "it waited for the container"
    timer.join()


def test_closing_before_the_first_piece(engine: Engine, run: Create) -> None:
    followed = engine.follow_logs(run())
    followed.close()
    assert list(followed) == []


def test_removal_ends_it(engine: Engine, run: Create) -> None:
    box = run("echo one; sleep 100")
    timer = threading.Timer(0.4, engine.remove_container, [box])
    timer.start()
    before = time.monotonic()
    assert text(list(engine.follow_logs(box))) == "one\n"
    assert time.monotonic() - before < 100, "it waited for the container"
    timer.join()
