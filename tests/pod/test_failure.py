"""What does not go well: the first failure ends the start, and says all there is to say."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pod.conftest import MakePod, box, native_also_rootful, server
from podjig import GenericContainer, LogMessageWaitStrategy, Pod, RedisContainer
from podjig.engine.protocol import Engine
from podjig.errors import ContainerExited, ImageNotFound, NameInUse, PodjigError, PortInUse
from podjig.pod.holder import Holder
from podjig.pod.native_pod import NativePod
from podjig.pod.place import Place
from podjig.spec import ContainerSpec
from podjig.wait.function import FunctionWaitStrategy

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
    assert took < 60, "it waited for the slow ones"
    text = str(caught.value)
    assert "exited with code 4" in caught.value.message
    assert "out of luck" in caught.value.logs
    assert text.count(": starting") == 2
    for state in ("fine (busybox): ready", "slow0 (busybox): starting", "slow1 (busybox): starting"):
        assert f"container {state}" in text
    assert "needy (busybox): not started, waits for container slow0 (busybox), container slow1 (busybox)" in text
    assert not pod.started
    assert not any(member.started for member in pod.members)


def test_one_that_hangs_in_its_check_does_not_hold_up_the_error(make_pod: MakePod) -> None:
    release = threading.Event()
    stuck = box().waiting_for(lambda _: release.wait(60))
    broken = box("exit 3").waiting_for(NEVER)
    begun = time.monotonic()
    with pytest.raises(ContainerExited, match="exited with code 3"):
        make_pod(stuck, broken).start()
    assert time.monotonic() - begun < 60, "it waited for the check"
    release.set()


def test_a_ready_member_that_dies_while_others_start(make_pod: MakePod) -> None:
    early = box("echo up; sleep 0.7; echo farewell; exit 9").waiting_for(LogMessageWaitStrategy("up"))
    with pytest.raises(ContainerExited, match="was ready and then exited with code 9") as caught:
        make_pod(early, box().waiting_for(NEVER)).start()
    assert "farewell" in caught.value.logs
    assert ": ready" not in str(caught.value)


def test_a_ready_member_that_is_dead_when_the_last_becomes_ready(make_pod: MakePod) -> None:
    early = box("echo up; sleep 600", "early").waiting_for(LogMessageWaitStrategy("up"))

    def ready(_: object) -> bool:
        early.kill()
        FunctionWaitStrategy(lambda _: not early.inspect().state.running).wait_until_ready(early)
        return True

    last = box().waiting_for(ready)
    with pytest.raises(ContainerExited, match="container early .* was ready and then exited with code 137"):
        make_pod().add(early).add(last, depends_on=early).start()


def test_a_start_that_was_given_up_leaves_the_next_one_alone(make_pod: MakePod) -> None:
    release, tries = threading.Event(), iter([True, False])

    def ready(_: object) -> bool:
        if next(tries):
            release.wait(60)
            raise RuntimeError("too late")
        return True

    stuck, broken = box().waiting_for(ready), box("exit 3", "broken").waiting_for(NEVER)
    pod = make_pod(stuck, broken)
    before = set(threading.enumerate())
    with pytest.raises(ContainerExited, match="exited with code 3"):
        pod.start()
    late = [thread for thread in set(threading.enumerate()) - before if thread.name == "podjig-pod"]
    assert late, "the test is to leave a start behind"
    broken.with_command(["sh", "-c", "sleep 600"]).waiting_for(lambda _: True)
    with pod:
        made = stuck.id
        release.set()
        for thread in late:
            thread.join(30)
            assert not thread.is_alive()
        assert stuck.started
        assert (stuck.id, stuck.status) == (made, "running")


def test_a_creation_that_ends_while_the_pod_is_removed_leaves_nothing(
    make_pod: MakePod, where: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, removing, created = (threading.Event() for _ in range(3))
    place = NativePod if where.capabilities.pods else Holder
    create, remove = type(where).create_container, place.remove

    def hesitate(self: Engine, spec: ContainerSpec) -> str:
        if "slow" not in spec.labels:
            return create(self, spec)
        asked.set()
        assert removing.wait(30)
        try:
            return create(self, spec)
        finally:
            created.set()

    def remove_later(self: Any, members: Sequence[str]) -> None:
        removing.set()
        assert created.wait(30)
        remove(self, members)

    def broken(_: object) -> bool:
        assert asked.wait(30)
        raise PodjigError("broken")

    pod = make_pod(box().with_labels({"slow": "1"}), box().waiting_for(lambda _: True), box().waiting_for(broken))
    monkeypatch.setattr(type(where), "create_container", hesitate)
    monkeypatch.setattr(place, "remove", remove_later)
    with pytest.raises(PodjigError, match="broken") as caught:
        pod.start()
    assert "could not be removed" not in str(caught.value)
    for thread in threading.enumerate():
        if thread.name == "podjig-pod":
            thread.join(30)
    assert not any(member.started for member in pod.members)


def test_a_pod_stopped_while_a_job_of_another_thread_runs(make_pod: MakePod) -> None:
    web = server(8000)
    pod = make_pod(web).start()
    ended: list[BaseException] = []

    def run() -> None:
        try:
            pod.run("busybox", "sleep 600")
        except ContainerExited as error:
            ended.append(error)

    for _ in range(2):
        thread = threading.Thread(target=run)
        thread.start()
        FunctionWaitStrategy(lambda _: b"sleep 600" in all_processes(pod)).wait_until_ready(web)
        pod.stop()
        thread.join(30)
        assert not thread.is_alive()
        pod.start()
    assert len(ended) == 2


def all_processes(pod: Pod) -> bytes:
    """The command lines of what runs in a pod."""
    ids = pod._started_place()._members()
    engine = pod._started_place().engine
    infos = [engine.inspect_container(each) for each in ids]
    return b"\n".join(
        Path(f"/proc/{info.state.pid}/cmdline").read_bytes().replace(b"\0", b" ") for info in infos if info.state.pid
    )


def test_the_tests_own_error_is_not_replaced_by_a_failing_removal(
    make_pod: MakePod, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OwnError(Exception):
        pass

    def refuse(self: Place, members: object) -> None:
        raise PodjigError("it cannot be removed")

    for error, expected in ((OwnError, OwnError), (None, PodjigError)):
        pod = make_pod(box())
        with monkeypatch.context() as patched, pytest.raises(expected), pod:  # noqa: PT012  the block's end is the test
            patched.setattr(type(pod._started_place()), "remove", refuse)
            if error is not None:
                raise error


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
        make_pod(RedisContainer("redis:7.4").with_network_aliases("cache"), absent).start()
    assert "the others: container cache (redis:7.4): " in str(caught.value)


@native_also_rootful
def test_a_busy_host_port(make_pod: MakePod) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            make_pod(box("exec httpd -f -p 80").with_bind_ports(80, port)).start()


@pytest.mark.parametrize("times", [2, 99])
def test_a_port_that_is_taken_after_the_engine_chose_it_is_chosen_anew(
    make_pod: MakePod, where: Engine, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    web = server(8000)
    pod = make_pod(web)
    taken: list[socket.socket] = []
    really = type(where).start_container

    def take_first(engine: Engine, id: str) -> None:
        ports = engine.inspect_container(id).ports or engine.inspect_pod(pod.id).ports
        if len(taken) < times:
            taken.append(socket.create_server(("127.0.0.1", ports["8000/tcp"][0].host)))
        really(engine, id)

    monkeypatch.setattr(type(where), "start_container", take_first)
    if times == 99:
        with pytest.raises(PortInUse):
            pod.start()
        assert len(taken) == 3
        assert not pod.started
    else:
        with pod, urllib.request.urlopen(f"http://localhost:{web.get_exposed_port(8000)}", timeout=20) as answer:
            assert answer.read() == b"hello\n"
        assert len(taken) == 2
    for listener in taken:
        listener.close()


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
