"""Who cleans up after others touches only what is nobody's any more."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import socket
import socketserver
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from cleanup.ghost import Ghost
from cleanup.proxy import RefusingProxy
from cleanup.world import World, line_of, within
from podjig.cleanup.labels import EXPIRES, LEASES
from podjig.cleanup.lease import take
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.removal import remove
from podjig.cleanup.resource import Resource
from podjig.cleanup.sweep import sweep
from podjig.errors import EngineRequestError, EngineTimeout


@pytest.fixture
def ghost(world: World) -> Ghost:
    return Ghost(world)


def test_everything_goes_in_order(world: World, ghost: Ghost) -> None:
    ghost.make("volume", "g-data")
    network = ghost.make("network", "g-net")
    pod = ghost.make("pod", "g-pod")
    world.make("container", "g-member", ghost.labels("container"), pod=pod, netns={}, volumes=[{"Dest": "/anonymous"}])
    world.start(pod, "pods")
    volumes = [{"Name": "g-data", "Dest": "/data"}]
    fields = {"netns": {"nsmode": "bridge"}, "Networks": {"g-net": {}}, "volumes": volumes}
    world.start(world.make("container", "g-on-net", ghost.labels("container"), **fields))
    host = world.make("container", "g-host", ghost.labels("container"), netns={"nsmode": "none"})
    world.start(host)
    world.make("container", "g-joined", ghost.labels("container"), netns={"nsmode": "container", "value": host})
    assert len(world.of(ghost.id)) == 7
    assert network

    result = sweep(world.client, world.folders)
    assert result.failed == []
    assert world.of(ghost.id) == []
    assert world.left() == set()
    assert sweep(world.client, world.folders).removed == []


def test_labels_that_were_inherited_make_nothing_ours(world: World, ghost: Ghost) -> None:
    """A container has its image's labels, and an image those of the container it was committed from."""
    ours = ghost.make("container", "g-source")
    world.start(ours)
    assert world.call("POST", f"commit?container={ours}&repo=localhost/stranger&tag=1&pause=false")[0] == 200
    strangers = world.call("POST", "containers/create", {"image": "localhost/stranger:1", "name": "stranger-copy"})
    sweep(world.client, world.folders)
    assert world.of(ghost.id) == []
    names = {item.name for item in world.everything()}
    assert {"stranger-copy", "localhost/stranger:1"} <= names
    assert "g-source" not in names
    world.call("DELETE", f"containers/{strangers[1]['Id']}?force=true")
    world.call("DELETE", "images/localhost/stranger:1")


def test_a_strangers_name_for_our_image_stays(world: World) -> None:
    process, session = world.session("""
import tempfile, pathlib
context = pathlib.Path(tempfile.mkdtemp())
(context / "Containerfile").write_text(f"FROM {os.environ['PODJIG_IMAGE_MAP'].partition('=')[2]}\\nRUN echo n >/n\\n")
DockerImage(context, tag="localhost/ours:1").build()
engine.tag_image("localhost/ours:1", "localhost/theirs:1")
os.kill(os.getpid(), signal.SIGKILL)
""")
    process.communicate(timeout=60)
    assert world.gone_in_time(session)
    names = {item.name for item in world.everything()}
    assert "localhost/theirs:1" in names
    assert "localhost/ours:1" not in names
    world.call("DELETE", "images/localhost/theirs:1")


def test_a_living_session_is_left_alone_whoever_sweeps(world: World) -> None:
    process, session = world.session("sleeper().start(); print('up', flush=True); sys.stdin.readline()")
    line_of(process)
    sweep(world.client, world.folders, choose=lambda *_: True)
    assert len(world.of(session)) == 1
    process.communicate("\n", timeout=60)


def test_leases_that_cannot_be_seen_protect_until_the_expiry(world: World, ghost: Ghost) -> None:
    ghost.make("volume", "other-young", **{LEASES: "elsewhere"})
    ghost.make("volume", "other-old", **{LEASES: "elsewhere", EXPIRES: "2020-01-01T00:00:00Z"})
    sweep(world.client, world.folders)
    assert world.of(ghost.id) == ["volume other-young"]
    assert world.podjig("clean", "other-young").returncode == 0


def test_leases_of_sessions_with_another_engine_stay(world: World) -> None:
    other = Ghost(world)
    sweep(world.client, world.folders)
    assert other.id in world.leases
    take_and_remove(other)


def test_a_lease_stays_a_while_after_its_session(world: World) -> None:
    """What the engine finishes only then can still be told."""
    ghost = Ghost(world, address=world.address)
    sweep(world.client, world.folders)
    lease = ghost.leases.lease(ghost.id)
    assert lease.read_text().endswith("done\n")
    ghost.make("volume", "late")
    sweep(world.client, world.folders)
    assert world.of(ghost.id) == []
    os.utime(lease, (0, 0))
    sweep(world.client, world.folders)
    assert not lease.exists()


def test_what_one_refuses_to_give_does_not_keep_the_rest(own_world: World) -> None:
    """An engine that answers 500 for one thing: the rest goes, it is said which and why, and the lease stays."""
    world, ghost = own_world, Ghost(own_world)
    stuck = ghost.make("container", "stuck")
    for number in range(3):
        ghost.make("container", f"free-{number}")
    ghost.make("volume", "free-volume")
    with RefusingProxy(world.address, world.fresh.root / "p.sock", refused=stuck) as proxy:
        (world.folders.leases.lease(ghost.id)).write_text(f"{proxy.address}\n")
        done = world.podjig("clean", CONTAINER_HOST=proxy.address)
        assert done.returncode == 1
        assert "cannot remove container stuck: the disk is on fire" in done.stderr
        assert "removed container free-2: its session has ended" in done.stdout
        assert "removed 4, left 0, failed 1" in done.stdout
        assert world.of(ghost.id) == ["container stuck"]
        assert ghost.id in world.leases
        # The helper of a session that dies goes on trying, and writes it down for 'podjig ps'.
        process, session = world.session(
            f'sleeper().with_name("refused-{stuck[:12]}").start(); os.kill(os.getpid(), signal.SIGKILL)',
            CONTAINER_HOST=proxy.address,
        )
        process.communicate(timeout=60)
        logs = world.folders.logs
        assert within(20, lambda: any("on fire" in log.read_text() for log in logs.glob("*.log")))
        shown = world.podjig("ps", CONTAINER_HOST=proxy.address).stdout
        assert "Some things could not be removed:" in shown
        assert "the disk is on fire" in shown
        assert proxy.refusals > 1
    assert world.podjig("clean").returncode == 0
    assert world.of(ghost.id) == []
    assert within(20, lambda: not world.of(session))  # the helper's next try, with nothing in its way


def test_a_name_that_is_used_again_meanwhile_stays(world: World, ghost: Ghost) -> None:
    ghost.make("volume", "again")
    (listed,) = world.client.resources(session=ghost.id)
    world.call("DELETE", "volumes/again")
    world.make("volume", "again", {})
    assert remove(world.client, [listed]).failed == []
    assert "again" in {item.name for item in world.everything()}
    world.call("DELETE", "volumes/again")


def test_a_strangers_container_on_our_network_stays_and_it_is_said(world: World, ghost: Ghost) -> None:
    ghost.make("network", "g-shared")
    fields = {"netns": {"nsmode": "bridge"}, "Networks": {"g-shared": {}}}
    guest = world.make("container", "guest", {}, **fields)
    world.start(guest)
    result = sweep(world.client, world.folders)
    assert [(item.name, isinstance(error, EngineRequestError)) for item, error in result.failed] == [("g-shared", True)]
    assert world.call("GET", f"containers/{guest}/json")[1]["State"]["Status"] == "running"
    world.call("DELETE", f"containers/{guest}?force=true&timeout=0")
    assert sweep(world.client, world.folders).failed == []


def test_two_at_once_one_cleaning_while_the_other_starts(world: World) -> None:
    """``ROUNDS=200`` by hand."""
    rounds = int(os.environ.get("ROUNDS", "6"))
    stop = threading.Event()
    failures: list[str] = []

    def clean() -> None:
        while not stop.is_set():
            result = sweep(LibpodClient(world.address), world.folders)
            failures.extend(str(error) for _, error in result.failed)

    cleaners = [threading.Thread(target=clean)]
    for cleaner in cleaners:
        cleaner.start()
    try:
        for number in range(rounds):
            dead = Ghost(world)
            dead.make("volume", f"round-{number}")
            process, session = world.session("""
containers = [sleeper().with_volume_mapping("round-data", "/data", "rw").start() for _ in range(2)]
print([container.status for container in containers], flush=True)
""")
            assert line_of(process) == "['running', 'running']"
            _, err = process.communicate(timeout=60)
            assert (process.returncode, err) == (0, "")
            assert world.of(session) == []
            assert within(10, lambda: not world.of(dead.id))  # noqa: B023  used at once
    finally:
        stop.set()
        for cleaner in cleaners:
            cleaner.join()
    assert failures == []


def test_two_cleans_at_once(world: World, ghost: Ghost) -> None:
    for number in range(4):
        ghost.make("container", f"twice-{number}")
    cleans = [world.run("python", "-m", "podjig.cli", "clean") for _ in range(2)]
    outputs = [clean.communicate(timeout=60) for clean in cleans]
    assert [clean.returncode for clean in cleans] == [0, 0], outputs
    assert world.of(ghost.id) == []


def test_removals_are_under_way_at_the_same_time(tmp_path: Path) -> None:
    """Without threads, of which a process that ends cannot start any."""
    together = threading.Barrier(5)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_DELETE(self) -> None:
            together.wait(20)  # answers come only when all have asked
            self.send_response(204)
            self.end_headers()

        def address_string(self) -> str:
            return "client"

        def log_message(self, format: str, *args: object) -> None:
            pass

    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "s"), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        items = [Resource(kind="container", id=str(number), name=str(number)) for number in range(5)]
        result = remove(LibpodClient(f"unix://{tmp_path}/s"), items)
        server.shutdown()
    assert (len(result.removed), result.failed) == (5, [])


def test_a_resource_in_words() -> None:
    assert str(Resource(kind="pod", id="1", name="web")) == "pod web"


def take_and_remove(ghost: Ghost) -> None:
    lease = take(ghost.leases.lease(ghost.id))
    assert lease is not None
    lease.release(remove=True)


def test_the_lock_of_a_killed_process_is_free_at_once(world: World, tmp_path: Path) -> None:
    process, session = world.session("sys.stdin.readline()")
    os.kill(world.helpers(session)[0], signal.SIGKILL)
    process.kill()
    process.wait()
    lease = take(world.folders.leases.lease(session))
    assert lease is not None
    lease.release(remove=True)


NAMED = """
sleeper().with_name("named-again").with_volume_mapping("named-data", "/data", "rw").start()
print("up", flush=True)
sys.stdin.readline()
"""


NAMED_NETWORK = """
from podjig import Network
network = Network("named-net").create()
print("up", flush=True)
sys.stdin.readline()
"""

NAMED_POD = """
from podjig import Pod
Pod(sleeper().with_name("named-member"), name="named-pod").start()
print("up", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("script", [NAMED, NAMED_POD, NAMED_NETWORK], ids=["container", "pod", "network"])
def test_names_that_an_ended_session_holds_are_free_for_the_next(world: World, script: str) -> None:
    """Its owner and its helper were killed a moment ago, and the same tests run again."""
    dead, session = world.session(script)
    line_of(dead)
    os.kill(world.helpers(session)[0], signal.SIGKILL)
    dead.kill()
    dead.wait()
    left = len(world.of(session))
    assert left
    again, other = world.session(script)
    assert line_of(again) == "up"
    assert (len(world.of(session)), len(world.of(other))) == (0, left)
    again.communicate("\n", timeout=60)
    assert world.of(other) == []


def test_names_of_a_living_session_are_in_use(world: World) -> None:
    first, session = world.session(NAMED)
    line_of(first)
    second, _ = world.session(NAMED)
    _, err = second.communicate("\n", timeout=60)
    assert "NameInUse" in err
    assert len(world.of(session)) == 2
    first.communicate("\n", timeout=60)
    assert world.left() == set()


def test_names_are_free_while_the_helper_still_cleans_up(world: World) -> None:
    first, session = world.session(NAMED)
    line_of(first)
    first.kill()
    first.wait()
    again, other = world.session(NAMED)
    assert line_of(again) == "up"
    assert within(5, lambda: not world.of(session))
    assert len(world.of(other)) == 2
    again.communicate("\n", timeout=60)
    assert world.left() == set()


def test_a_session_in_another_pid_namespace_is_never_taken_for_dead(world: World) -> None:
    """It shares socket and folder; its process id means nothing here, and its helper dies with its namespace."""
    unshare = ("unshare", "-r", "-p", "-f", "--mount-proc", "--kill-child")
    if (
        shutil.which("unshare") is None
        or subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this host does not allow user namespaces")
    code = "sleeper().start(); print('up', flush=True); sys.stdin.readline()"
    process, session = world.session(code, CONTAINER_HOST=world.address, through=unshare)
    line_of(process)
    (item,) = [item for item in world.ps() if item["session"] == session]
    assert item["owner"]["pid"] < 10  # somebody else's number here
    assert item["standing"] == "alive"
    sweep(world.client, world.folders)
    assert world.podjig("clean", "--all").returncode == 0
    assert len(world.of(session)) == 1
    process.kill()
    process.wait()
    assert within(10, lambda: not world.of(session) or sweep(world.client, world.folders).removed)
    assert within(5, lambda: not world.of(session))


def test_an_engine_that_hangs_is_not_asked_twice(tmp_path: Path) -> None:
    asked: list[int] = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()

        def accept() -> None:
            with suppress(OSError):
                while True:
                    asked.append(server.accept()[0].detach())

        threading.Thread(target=accept, daemon=True).start()
        client = LibpodClient(f"unix://{tmp_path}/s", timeout=0.2)
        result = remove(client, [Resource(kind="container", id="1", name="1")])
        (error,) = [error for _, error in result.failed]
        assert isinstance(error, EngineTimeout)
        assert "within 0.2 s" in str(error)
        assert len(asked) == 1
        server.shutdown(socket.SHUT_RDWR)
    for descriptor in asked:
        os.close(descriptor)
