"""Faults made on purpose inside a pod: they concern one member, and the others where they share what is spoilt."""

from __future__ import annotations

import threading

import pytest

from container.probing import answers, queues, slowed
from pod.conftest import MakePod, box, native_also_rootful, server
from podjig import GenericContainer, LogMessageWaitStrategy, RedisContainer
from podjig.errors import CapabilityMissing, PodjigError

TRAP = "trap 'exit 0' TERM; echo up; while :; do sleep 0.05; done"


def polite(*aliases: str) -> GenericContainer:
    """One that ends when it is asked to."""
    return box(TRAP, *aliases).waiting_for(LogMessageWaitStrategy("up"))


@native_also_rootful
def test_one_that_is_frozen_leaves_the_others_alone(make_pod: MakePod) -> None:
    redis, other = RedisContainer("redis:7.4"), server(8000)
    with make_pod(redis, other):
        with redis.freeze() as fault:
            assert fault.how in ("signals", "the engine's pause")
            assert not answers(redis, seconds=0.3)
            assert other.exec(["wget", "-qO-", "http://localhost:8000"]).stdout == b"hello\n"
        assert answers(redis)
        redis.freeze()
        redis.thaw()
        assert answers(redis)
        with redis.freeze():
            redis.kill()
        assert redis.wait(10) == 137
        redis.restart()
        redis.freeze()  # and so the pod is removed


@native_also_rootful
def test_one_that_shares_its_processes_cannot_be_frozen_alone(make_pod: MakePod) -> None:
    member = box()
    with make_pod(member, box(), share=("net", "pid")):
        if member.engine.capabilities.pause:
            member.freeze().undo()
            return
        with pytest.raises(CapabilityMissing, match="shares its processes") as caught:
            member.freeze()
        assert "'pid'" in caught.value.hint


@native_also_rootful
def test_one_that_is_killed_is_restarted_where_it_was(make_pod: MakePod) -> None:
    redis, other = RedisContainer("redis:7.4"), polite("other")
    with make_pod(redis, other):
        port = redis.get_exposed_port(6379)
        redis.kill()
        redis.wait(10)
        assert other.status == "running"
        assert redis.restart() is redis
        assert redis.get_exposed_port(6379) == port
        assert answers(redis)
        for timeout in (0, 20):
            redis.restart(timeout=timeout)
            assert answers(redis)
        assert other.restart(timeout=20).logs().count("up") == 2
        assert other.exec(["nc", "-w", "2", "redis", "6379"]).exit_code == 0


@pytest.mark.also_rootful
def test_a_slow_link_is_the_whole_pods(make_pod: MakePod) -> None:
    one, other = polite("one"), polite("other")
    with make_pod(one, other):
        with slowed(one, 2_000_000):
            assert "rate 2Mbit" in queues(other)
            with slowed(other, 1_000_000):
                assert "rate 1Mbit" in queues(one)
            assert "tbf" not in queues(one)
        with slowed(one, 2_000_000):
            one.restart(timeout=0)
            assert "rate 2Mbit" in queues(one)
        assert "tbf" not in queues(one)
        with slowed(one, 2_000_000):
            one.kill()
            one.wait(10)
            assert "rate 2Mbit" in queues(other)
        assert "tbf" not in queues(other)
        with slowed(other, 2_000_000):
            one.restart()
            other.engine.remove_container(other.id)
        assert "tbf" not in queues(one)
        fault = slowed(one, 2_000_000)
    fault.undo()  # the pod is gone


def restart_for_ever(member: GenericContainer, restarted: threading.Event, ends: list[BaseException]) -> None:
    try:
        while True:
            member.restart(timeout=0)
            restarted.set()
    except BaseException as error:  # noqa: BLE001  whatever it is, the test shows it
        ends.append(error)


@native_also_rootful
def test_a_pod_is_removed_while_a_member_restarts(make_pod: MakePod) -> None:
    for _ in range(3):
        member, other = polite("member"), polite("other")
        pod = make_pod(member, other).start()
        restarted, ends = threading.Event(), list[BaseException]()

        thread = threading.Thread(target=restart_for_ever, args=(member, restarted, ends))
        thread.start()
        assert restarted.wait(60), ends
        pod.stop()
        thread.join(60)
        assert not thread.is_alive(), "the restart hangs"
        assert [isinstance(error, PodjigError) for error in ends] == [True], ends
        assert not pod.started
        assert not member.started
