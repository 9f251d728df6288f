"""What a session does while its process lives, and when it ends in good order."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from cleanup.world import PROMISE, World, line_of, within
from podjig import GenericContainer
from podjig.cleanup.session import session_of
from podjig.engine.memory import MemoryEngine


def test_what_was_forgotten_goes_at_exit_and_the_helper_with_it(world: World) -> None:
    process, session = world.session("""
sleeper().with_volume_mapping("forgotten-data", "/data", "rw").start()
sleeper().start()
""")
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert world.of(session) == []
    assert within(10, lambda: not world.helpers(session))
    assert session not in world.folders.leases.sessions()


def test_five_forgotten_containers_go_quickly(world: World) -> None:
    process, _ = world.session("""
started = [sleeper().start() for _ in range(5)]
began = time.perf_counter()
close_sessions()
print(time.perf_counter() - began, [container.status for container in started])
""")
    seconds, statuses = line_of(process).split(" ", 1)
    print(f"teardown of five: {float(seconds):.3f} s")
    assert statuses == str(["not_started"] * 5)
    assert process.wait(30) == 0


def test_users_go_before_what_they_use(world: World, tmp_path: Path) -> None:
    """Containers before a container whose network they share, and before their volume and image."""
    (tmp_path / "Containerfile").write_text(f"FROM {world.image}\nRUN echo mine >/mine\n")
    process, session = world.session(
        """
image = DockerImage(sys.argv[1]).build()
first = GenericContainer(str(image), command="sleep 600").with_volume_mapping("used-data", "/data", "rw").start()
second = sleeper().with_kwargs(network_mode=f"container:{first.id}").start()
print(len(image.id))
""",
        str(tmp_path),
    )
    assert line_of(process) == "64"
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "could not clean up" not in err
    assert world.of(session) == []
    assert not world.left()


def test_a_kept_container_keeps_its_volume_and_its_image(world: World, tmp_path: Path) -> None:
    (tmp_path / "Containerfile").write_text(f"FROM {world.image}\nRUN echo kept >/kept\n")
    process, session = world.session(
        """
image = DockerImage(sys.argv[1], tag="localhost/kept:1").build()
kept = GenericContainer(str(image), command="sleep 600").with_volume_mapping("kept-data", "/data", "rw")
kept.with_name("kept-one").start()
kept.keep(3600, why="to look at it")
sleeper().start()
""",
        str(tmp_path),
    )
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "could not clean up" not in err
    assert world.of(session) == ["container kept-one", "image localhost/kept:1", "volume kept-data"]
    assert {(item["name"], item["standing"]) for item in world.ps()} >= {("kept-one", "kept"), ("kept-data", "kept")}
    assert "to look at it" in world.podjig("ps").stdout
    left = world.podjig("clean")
    assert "left container kept-one: kept until" in left.stdout
    done = world.podjig("clean", "kept-one", "kept-data", "localhost/kept:1")
    assert done.returncode == 0, done.stderr
    assert world.of(session) == []


def test_kept_from_the_start_and_its_owner_killed(world: World) -> None:
    process, session = world.session("""
sleeper().with_keep(3600, why="for later").with_name("kept-two").start()
sleeper().start()
os.kill(os.getpid(), signal.SIGKILL)
""")
    process.communicate(timeout=60)
    assert within(5, lambda: world.of(session) == ["container kept-two"])
    assert within(20, lambda: not world.helpers(session))
    assert world.of(session) == ["container kept-two"]
    assert world.podjig("clean", "kept-two").returncode == 0


def test_what_has_expired_is_not_kept(world: World) -> None:
    process, session = world.session('sleeper().with_keep(1, why="a moment").start(); time.sleep(2.5)')
    process.communicate(timeout=60)
    done = world.podjig("clean")
    assert done.returncode == 0
    assert world.of(session) == []


@pytest.mark.parametrize("fork", ["os.fork", "multiprocessing", "sys.exit in a with block"])
def test_forked_children_are_no_heirs(world: World, fork: str) -> None:
    """They neither remove their parent's things when they end nor keep its helper waiting when they live on."""
    code = {
        "os.fork": """
if os.fork() == 0:
    container.stop()
    time.sleep(600)
""",
        "multiprocessing": """
import multiprocessing
multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)).start()
""",
        "sys.exit in a with block": """
with container_two:
    if os.fork() == 0:
        sys.exit()
    os.wait()
    print(container_two.status, flush=True)
if os.fork() == 0:
    time.sleep(600)
""",
    }[fork]
    process, session = world.session(f"""
container, container_two = sleeper().start(), sleeper()
{code}
print(container.status, flush=True)
time.sleep(600)
""")
    assert line_of(process) == "running"
    if "with" in fork:
        assert line_of(process) == "running"
    process.kill()
    assert world.gone_in_time(session)
    os.killpg(process.pid, signal.SIGKILL)  # the child


def test_a_forked_child_has_a_session_of_its_own(world: World) -> None:
    process, session = world.session("""
container = sleeper().start()
if os.fork() == 0:
    sleeper().start()
    print(session_of(current_engine()).id, flush=True)
    os._exit(0)
os.wait()
print(container.status, flush=True)
sys.stdin.readline()
""")
    other = line_of(process)
    assert other != session
    assert world.gone_in_time(other)
    assert line_of(process) == "running"
    process.communicate("\n", timeout=60)


def test_an_interrupted_creation_is_looked_for(world: World) -> None:
    """Whatever the engine makes after we stopped listening goes as well."""
    process, session = world.session("""
from podjig.spec import ContainerSpec
def interrupted():
    with session.making():
        engine.create_container(session.own(ContainerSpec(image=os.environ["PODJIG_IMAGE_MAP"].partition("=")[2])))
        raise KeyboardInterrupt
try:
    interrupted()
except KeyboardInterrupt:
    pass
""")
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert world.gone_in_time(session)


def test_a_second_ctrl_c_during_the_teardown_leaves_nothing(world: World) -> None:
    process, session = world.session("""
from podjig.cleanup import libpod
remove_all = libpod.LibpodClient.remove_all
def slowly(self, items):
    print("tearing down", flush=True)
    time.sleep(600)
libpod.LibpodClient.remove_all = slowly
sleeper().start()
print("up", flush=True)
time.sleep(600)
""")
    assert line_of(process) == "up"
    process.send_signal(signal.SIGINT)
    assert line_of(process) == "tearing down"
    process.send_signal(signal.SIGINT)
    assert world.gone_in_time(session)
    process.communicate(timeout=30)


def test_another_build_may_take_an_images_name(world: World, tmp_path: Path) -> None:
    """Then the first session's end removes its image, and not the second's."""
    (tmp_path / "Containerfile").write_text(f"FROM {world.image}\nRUN echo shared >/shared\n")
    code = 'image = DockerImage(sys.argv[1], tag="localhost/shared:1").build(); print(image.id, flush=True); '
    first, one = world.session(f"{code} sys.stdin.readline()", str(tmp_path))
    line_of(first)
    second, two = world.session(f"{code} sys.stdin.readline()", str(tmp_path))
    second_id = line_of(second)
    first.communicate("\n", timeout=60)
    assert within(5, lambda: not world.of(one))
    assert world.of(two) == ["image localhost/shared:1"]
    assert world.call("GET", "images/localhost/shared:1/json")[1]["Id"] == second_id
    second.communicate("\n", timeout=60)
    assert within(5, lambda: not world.of(two))


def test_handlers_of_the_host_application_stay(world: World) -> None:
    process, _ = world.session("""
close_sessions()
def before(number, frame): print("before", flush=True)
signal.signal(signal.SIGTERM, before)
session_of(engine)
assert signal.getsignal(signal.SIGTERM) is before
os.kill(os.getpid(), signal.SIGTERM)
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
""")
    assert line_of(process) == "before"
    assert process.wait(30) == 0


def test_a_handler_set_later_may_chain_to_ours(world: World) -> None:
    process, session = world.session("""
ours = signal.getsignal(signal.SIGTERM)
def later(number, frame):
    print("later", flush=True)
    ours(number, frame)
signal.signal(signal.SIGTERM, later)
sleeper().start()
try:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
except SystemExit as leave:
    assert leave.code == 143
    assert signal.getsignal(signal.SIGTERM) is later
""")
    assert line_of(process) == "later"
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert world.of(session) == []


def test_a_runtime_folder_that_cannot_be_written_to_is_an_error_before_anything_is_made(world: World) -> None:
    process = world.python("""
import os, sys
from pathlib import Path
from podjig import GenericContainer
from podjig.cleanup.folders import folders
from podjig.engine.discovery import current_engine
from podjig.engine.runtime_dir import runtime_dir
current_engine()
folders()
(runtime_dir() / "cleanup/leases").chmod(0o500)
try:
    GenericContainer("busybox", command="sleep 600").start()
finally:
    (runtime_dir() / "cleanup/leases").chmod(0o700)
""")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "EngineUnavailable: cannot begin a session in" in err
    assert "hint: make that folder writable" in err
    assert world.left() == set()


def test_an_engine_that_dies_with_the_process_needs_no_session() -> None:
    assert session_of(MemoryEngine()) is None


def test_starting_a_session_is_quick(world: World) -> None:
    process, _ = world.session("""
import statistics
from podjig.cleanup.session import Session
times = []
for _ in range(10):
    began = time.perf_counter()
    one = Session(engine)
    times.append(time.perf_counter() - began)
    one.close()
print(statistics.median(times) * 1000)
""")
    print(f"a session starts in {float(line_of(process)):.1f} ms")
    assert process.wait(30) == 0


def test_cycles_leave_nothing_in_the_process(world: World) -> None:
    """``CYCLES=300`` by hand; first and last figures are printed."""
    process, session = world.session(
        """
def figures():
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
    return {"files": len(os.listdir("/proc/self/fd")), "threads": int(status["Threads"]), "children": len(children),
            "memory kB": int(status["VmRSS"].split()[0])}
def cycle():
    with sleeper().with_volume_mapping("cycle-data", "/data", "rw"):
        pass
for _ in range(3):
    cycle()
first = figures()
for _ in range(int(sys.argv[1])):
    cycle()
last = figures()
print(first, last, sep="|", flush=True)
sys.stdin.readline()
""",
        os.environ.get("CYCLES", "30"),
    )
    first, last = (eval(text) for text in line_of(process).split("|"))  # what we have just written
    print(f"first {first}\nlast  {last}\nstore {world.of(session)}")
    assert world.of(session) == ["volume cycle-data"]
    for what in ("files", "threads", "children"):
        assert last[what] <= first[what], (first, last)
    assert last["memory kB"] < first["memory kB"] + 4096
    process.communicate("\n", timeout=60)
    assert world.left() == set()


def test_stopping_twice_and_after_the_end_is_quiet(world: World) -> None:
    process, _ = world.session("""
container = sleeper().start()
close_sessions()
container.stop()
close_sessions()
""")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_graceful_stop_is_there_for_those_who_want_it() -> None:
    began = time.monotonic()
    container = GenericContainer("busybox", command=["sh", "-c", "trap 'sleep 0.3; exit 0' TERM; sleep 600 & wait"])
    container.start()
    container.stop(timeout=20)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("seconds", [0.5, 2])
@pytest.mark.parametrize(
    "ending",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        """
try:
    with session.making():
        raise KeyboardInterrupt
except KeyboardInterrupt:
    pass
""",
    ],
    ids=["killed", "interrupted"],
)
def test_a_container_that_the_engine_makes_after_its_owners_end_brings_no_volume_back(
    world: World, ending: str, seconds: float
) -> None:
    """Podman makes a named volume that is not there, without labels: nobody would ever know whose it is."""
    process, session = world.session(
        """
session.claim_volume(f"late-{session.id}")
print(__import__("json").dumps(session.labels("container")), flush=True)
"""
        + ending
    )
    labels = json.loads(line_of(process))
    process.communicate(timeout=60)
    time.sleep(seconds)  # so long it took the engine to come to it
    mount = [{"Name": f"late-{session}", "Dest": "/data"}]
    late = world.make("container", f"late-{session}", labels, volumes=mount)
    left = {("container", late), ("volume", f"late-{session}")}
    assert within(PROMISE, lambda: not world.left() & left), f"left: {world.left() & left}"
