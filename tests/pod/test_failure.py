"""What does not go well: the first failure ends the start, and says all there is to say."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from pod.conftest import MakePod, box, native_also_rootful, server
from podjig import GenericContainer, LogMessageWaitStrategy, RedisContainer
from podjig.engine.protocol import Engine
from podjig.errors import ContainerExited, ImageNotFound, NameInUse, PodjigError, PortInUse

NEVER = LogMessageWaitStrategy("never said")


@pytest.mark.also_rootful
def test_the_third_of_five_fails(make_pod: MakePod) -> None:
    fine, needy = server(8000, "fine"), box("sleep 600", "needy")
    slow = [box("sleep 600", f"slow{number}").waiting_for(NEVER) for number in range(2)]
    broken = box("sleep 0.5; echo out of luck; exit 4", "broken").waiting_for(NEVER)
    failed_at: list[float] = []

    def alive(container: GenericContainer) -> bool:
        if not container.inspect().state.running and not failed_at:
            failed_at.append(time.monotonic())
        return False

    broken.waiting_for(alive)
    pod = make_pod(fine, slow[0], broken, slow[1]).add(needy, depends_on=slow)
    with pytest.raises(ContainerExited) as caught:
        pod.start()
    took = time.monotonic() - failed_at[0]
    print(f"told {took:.2f} s after the failure")
    assert took < 5  # and not after the 60 s that the slow ones have
    text = str(caught.value)
    assert "exited with code 4" in caught.value.message
    assert "out of luck" in caught.value.logs
    assert text.count(": starting") == 2
    assert text.count(": ready") == 1
    assert ": not started, waits for the container of busybox" in text or ": not started, waits for container" in text
    assert not pod.started
    assert not any(member.started for member in pod.members)


def test_one_that_hangs_in_its_check_does_not_hold_up_the_error(make_pod: MakePod) -> None:
    release = threading.Event()
    stuck = box().waiting_for(lambda _: release.wait(60))
    broken = box("exit 3").waiting_for(NEVER)
    begun = time.monotonic()
    with pytest.raises(ContainerExited, match="exited with code 3"):
        make_pod(stuck, broken).start()
    assert time.monotonic() - begun < 20
    release.set()


def test_a_ready_member_that_dies_while_others_start(make_pod: MakePod) -> None:
    early = box("echo up; sleep 0.7; echo farewell; exit 9").waiting_for(LogMessageWaitStrategy("up"))
    with pytest.raises(ContainerExited, match="was ready and then exited with code 9") as caught:
        make_pod(early, box().waiting_for(NEVER)).start()
    assert "farewell" in caught.value.logs


def test_a_job_among_the_members_may_end(make_pod: MakePod) -> None:
    with make_pod(box("exit 0"), box("sleep 0.6; echo up; sleep 600").waiting_for(LogMessageWaitStrategy("up"))):
        pass


def test_an_interrupt_leaves_nothing(make_pod: MakePod) -> None:
    def interrupt(_: object) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_pod(box().waiting_for(NEVER), box().waiting_for(interrupt)).start()


def test_a_missing_image(make_pod: MakePod) -> None:
    absent = GenericContainer("localhost/podjig/no-such-image:1")
    with pytest.raises(ImageNotFound, match="no-such-image") as caught:
        make_pod(RedisContainer("redis:7.4"), absent).start()
    assert "the others: the container of redis:7.4: " in str(caught.value)


@native_also_rootful
def test_a_busy_host_port(make_pod: MakePod) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            make_pod(box("exec httpd -f -p 80").with_bind_ports(80, port)).start()


def test_a_name_in_use(make_pod: MakePod, unique: str) -> None:
    with make_pod(box(), name=unique), pytest.raises(NameInUse, match=unique):
        make_pod(box(), name=unique).start()


def test_a_failed_start_can_be_repeated(make_pod: MakePod) -> None:
    tries = iter([False, True])

    def ready(_: object) -> bool:
        if not next(tries):
            raise PodjigError("the first try fails")
        return True

    pod = make_pod(box().waiting_for(ready), box())
    with pytest.raises(PodjigError, match="the first try fails"):
        pod.start()
    pod.start()


@pytest.mark.also_rootful
def test_a_pod_removed_by_others_stops_quietly(make_pod: MakePod, where: Engine) -> None:
    pod = make_pod(box()).start()
    if where.capabilities.pods:
        where.remove_pod(pod.id)
    else:
        where.remove_container(pod.members[0].id)
        where.remove_container(pod.id)
    pod.stop()
    assert not pod.started
