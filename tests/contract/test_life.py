from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from podjig.engine.protocol import Engine
from podjig.errors import ContainerStartError, EngineRequestError, EngineTimeout, PortInUse, ResourceNotFound
from podjig.spec import Port

Create = Callable[..., str]


def test_a_started_container_runs(engine: Engine, run: Create) -> None:
    before = time.time()
    state = engine.inspect_container(run()).state
    assert state.running
    assert state.pid > 0
    assert state.started_at == pytest.approx(before, abs=10)
    assert state.finished_at is None


def test_starting_a_running_one_changes_nothing(engine: Engine, run: Create) -> None:
    box = run()
    pid = engine.inspect_container(box).state.pid
    engine.start_container(box)
    assert engine.inspect_container(box).state.pid == pid


def test_a_stopped_one_starts_again(engine: Engine, run: Create) -> None:
    box = run("echo once; sleep 100")
    engine.kill_container(box)
    engine.wait_container(box, timeout=10)
    engine.start_container(box)
    state = engine.inspect_container(box).state
    assert state.running
    assert state.finished_at is None


def test_a_program_that_is_not_there_cannot_be_started(engine: Engine, create: Create) -> None:
    box = create(command=("no-such-program",))
    with pytest.raises(ContainerStartError, match="no-such-program"):
        engine.start_container(box)


@pytest.mark.needs("processes")
@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ({"command": ("/etc/passwd",)}, "executable"),
        ({"user": "nobody-of-that-name"}, "no such user"),
        ({"workdir": "/no/such/folder"}, "working directory"),
        ({"command": ("no-such-program",)}, "not in the image"),
    ],
    ids=["not-executable", "unknown-user", "no-workdir", "unknown-program"],
)
def test_a_failed_start_says_what_repairs_it(engine: Engine, create: Create, fields: dict[str, str], hint: str) -> None:
    box = create(**fields)
    with pytest.raises(ContainerStartError) as caught:
        engine.start_container(box)
    assert hint in caught.value.hint


@pytest.mark.needs("processes")
def test_a_busy_host_port_is_named(engine: Engine, create: Create) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        busy = server.getsockname()[1]
        box = create(ports=(Port(container=80, host=busy),), network_mode=None)
        with pytest.raises(PortInUse, match=f"host port {busy} is in use"):
            engine.start_container(box)


def test_two_containers_cannot_have_one_host_port(engine: Engine, create: Create) -> None:
    first = create(ports=(Port(container=80),), network_mode=None)
    engine.start_container(first)
    (published,) = engine.inspect_container(first).ports["80/tcp"]
    second = create(ports=(Port(container=80, host=published.host),), network_mode=None)
    with pytest.raises(PortInUse, match=str(published.host)):
        engine.start_container(second)


def test_stop_kills_what_ignores_the_signal_and_leaves_a_stopped_one_alone(engine: Engine, run: Create) -> None:
    box = run("sleep 100")  # the first process of a container ignores SIGTERM unless it handles it
    engine.stop_container(box, timeout=0)
    state = engine.inspect_container(box).state
    assert state.ended
    assert state.exit_code == 137
    engine.stop_container(box, timeout=0)


@pytest.mark.needs("processes")
def test_stop_sends_the_stop_signal(engine: Engine, run: Create) -> None:
    box = run("trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done", stop_signal="SIGINT")
    while not engine.logs(box):
        time.sleep(0.01)
    engine.stop_container(box, timeout=10)
    assert engine.inspect_container(box).state.exit_code == 5


def test_kill_ends_it(engine: Engine, run: Create) -> None:
    box = run()
    engine.kill_container(box)
    assert engine.wait_container(box, timeout=10) == 137


def test_kill_of_a_stopped_one_is_refused(engine: Engine, create: Create) -> None:
    with pytest.raises(EngineRequestError):
        engine.kill_container(create())


@pytest.mark.needs("processes")
def test_kill_sends_any_signal(engine: Engine, run: Create) -> None:
    box = run("trap 'echo caught' USR1; echo ready; while :; do sleep 0.05; done")
    while not engine.logs(box):
        time.sleep(0.01)
    engine.kill_container(box, "SIGUSR1")
    deadline = time.monotonic() + 5
    while b"caught" not in b"".join(chunk.data for chunk in engine.logs(box)):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert engine.inspect_container(box).state.running


def test_wait_returns_the_exit_code(engine: Engine, run: Create) -> None:
    assert engine.wait_container(run("sleep 0.2; exit 7"), timeout=10) == 7


def test_wait_for_one_that_has_ended_returns_at_once(engine: Engine, run: Create) -> None:
    box = run("exit 3")
    assert engine.wait_container(box, timeout=10) == 3
    assert engine.wait_container(box, timeout=0.5) == 3


def test_wait_has_a_deadline(engine: Engine, run: Create) -> None:
    before = time.monotonic()
    with pytest.raises(EngineTimeout, match=r"0\.3 s"):
        engine.wait_container(run(), timeout=0.3)
    assert time.monotonic() - before < 100, "it waited for the container"


def test_an_ended_container_tells_how_and_when(engine: Engine, run: Create) -> None:
    box = run("exit 4")
    engine.wait_container(box, timeout=10)
    state = engine.inspect_container(box).state
    assert state.ended
    assert not state.running
    assert state.exit_code == 4
    assert state.pid == 0
    assert state.finished_at is not None
    assert state.started_at is not None
    assert state.finished_at >= state.started_at


def test_remove_takes_a_running_one_at_once(engine: Engine, run: Create) -> None:
    box = run()
    before = time.monotonic()
    engine.remove_container(box)
    assert time.monotonic() - before < 10, "it waited for the container to stop, which shells do not"
    with pytest.raises(ResourceNotFound):
        engine.inspect_container(box)


def test_remove_is_quiet_where_there_is_none(engine: Engine, run: Create) -> None:
    box = run()
    engine.remove_container(box)
    engine.remove_container(box)
    engine.remove_container("no-such-container")


def test_several_may_remove_the_same_one(engine: Engine, run: Create) -> None:
    box = run()
    errors: list[Exception] = []

    def remove() -> None:
        try:
            engine.remove_container(box)
        except Exception as error:  # noqa: BLE001  whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=remove) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


@pytest.mark.parametrize(
    "verb",
    [
        lambda engine, box: engine.inspect_container(box),
        lambda engine, box: engine.start_container(box),
        lambda engine, box: engine.stop_container(box, timeout=1),
        lambda engine, box: engine.kill_container(box),
        lambda engine, box: engine.wait_container(box, timeout=1),
        lambda engine, box: engine.logs(box),
        lambda engine, box: list(engine.follow_logs(box)),
        lambda engine, box: engine.exec(box, ["true"]),
        lambda engine, box: engine.run_healthcheck(box),
        lambda engine, box: list(engine.get_archive(box, "/etc")),
    ],
    ids=["inspect", "start", "stop", "kill", "wait", "logs", "follow", "exec", "health", "get"],
)
def test_an_unknown_container_is_an_error(engine: Engine, verb: Callable[[Engine, str], object]) -> None:
    with pytest.raises(ResourceNotFound, match="no-such-container"):
        verb(engine, "no-such-container")


def test_listing_by_labels(engine: Engine, create: Create, run: Create, unique: str) -> None:
    first = create(labels={"contract.test": unique, "contract.part": "1"})
    second = run(labels={"contract.test": unique, "contract.part": "2"})

    def ids(**labels: str) -> set[str]:
        wanted = {f"contract.{name}": value for name, value in labels.items()}
        return {container.id for container in engine.list_containers(labels=wanted)}

    assert ids(test=unique) == {first, second}
    assert ids(test=unique, part="2") == {second}
    assert ids(test=unique, part="") == {first, second}
    assert ids(test=unique, part="3") == set()
    assert ids(test=unique, absent="") == set()
    listed = {container.id: container for container in engine.list_containers()}
    assert listed[first].status == "created"
    assert listed[second].status == "running"
    assert listed[second].labels["contract.part"] == "2"
    assert listed[second].name == engine.inspect_container(second).name
