"""The helper process, and the sweep that follows where it was killed as well."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from cleanup.world import World, alive, line_of, within

UP = "sleeper().start(); print('up', flush=True); sys.stdin.readline()"


def field(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def test_one_small_helper_a_session_in_a_session_of_its_own(world: World) -> None:
    process, session = world.session(f"assert session_of(engine) is session; sleeper().start(); {UP}")
    line_of(process)
    (helper,) = world.helpers(session)
    time.sleep(2.5)  # past its sweep
    assert field(helper, "VmRSS") <= 15 * 1024
    print(f"helper: {field(helper, 'VmRSS')} kB")
    spent = stat(helper)[11:13]
    time.sleep(1)
    assert stat(helper)[11:13] == spent  # ticks of processor time
    assert int(stat(helper)[3]) not in (os.getsid(process.pid), os.getsid(0))
    assert int(stat(helper)[1]) != process.pid  # nobody's child: no zombie, no surprise for who waits for children
    assert Path(f"/proc/{helper}/cwd").readlink() == Path("/")
    process.communicate("\n", timeout=60)
    assert within(10, lambda: not alive(helper))


def test_it_is_there_before_anything_is_made(world: World) -> None:
    process, session = world.session("sys.stdin.readline()")
    assert len(world.helpers(session)) == 1
    assert world.of(session) == []
    process.communicate("\n", timeout=60)


@pytest.mark.parametrize("handler", ["signal.SIG_IGN", "lambda *_: os.waitpid(-1, os.WNOHANG)"])
def test_it_starts_in_programs_that_reap_their_children_in_their_own_way(world: World, handler: str) -> None:
    process, _ = world.session(f"""
close_sessions()
signal.signal(signal.SIGCHLD, {handler})
print(session_of(engine).id, flush=True)
sleeper().start()
os.kill(os.getpid(), signal.SIGKILL)
""")
    assert world.gone_in_time(line_of(process))


def test_it_starts_where_the_standard_streams_are_closed(world: World) -> None:
    process, _ = world.session("""
close_sessions()
out = os.dup(1)
for stream in (0, 1, 2):
    os.close(stream)
os.write(out, f"{session_of(engine).id}\\n".encode())
sleeper().start()
os.kill(os.getpid(), signal.SIGKILL)
""")
    process.wait(60)
    assert world.gone_in_time(line_of(process))


def test_killed_with_its_owner_it_leaves_the_rest_to_the_next_session(world: World) -> None:
    living, alive_session = world.session(UP)
    line_of(living)
    dead, dead_session = world.session(f"""session.claim_volume("left-data"); {UP}""")
    line_of(dead)
    (helper,) = world.helpers(dead_session)
    os.kill(helper, signal.SIGKILL)
    dead.kill()
    dead.wait()
    assert len(world.of(dead_session)) == 2
    standings = {item["name"]: item["standing"] for item in world.ps() if item["session"] == dead_session}
    assert standings["left-data"] == "ended"
    before = world.of(alive_session)

    next_one, _ = world.session("sys.stdin.readline()")
    assert within(10, lambda: not world.of(dead_session))
    assert world.of(alive_session) == before
    next_one.communicate("\n", timeout=60)
    living.communicate("\n", timeout=60)


def test_a_session_too_short_for_its_sweep_sweeps_afterwards(world: World) -> None:
    dead, session = world.session(UP)
    line_of(dead)
    os.kill(world.helpers(session)[0], signal.SIGKILL)
    dead.kill()
    dead.wait()
    short, _ = world.session("")
    short.communicate(timeout=60)
    assert within(10, lambda: not world.of(session))


def test_killed_while_it_cleans_up_the_next_finishes(world: World) -> None:
    process, session = world.session(UP)
    line_of(process)
    (helper,) = world.helpers(session)
    os.kill(helper, signal.SIGSTOP)
    process.kill()
    process.wait()
    lease = world.folders.leases.lease(session)
    with lease.open("a") as file:  # as a helper leaves it that is killed in the midst
        file.write("cleaning\n")
    os.kill(helper, signal.SIGKILL)
    next_one, _ = world.session("")
    next_one.communicate(timeout=60)
    assert within(10, lambda: not world.of(session))


def test_a_lease_deleted_by_hand_harms_nobody(world: World) -> None:
    process, session = world.session(UP)
    line_of(process)
    world.folders.leases.lease(session).unlink()
    (item,) = [item for item in world.ps() if item["session"] == session]
    assert (item["standing"], item["removed_by"]) == ("unknown", "name")
    assert "left container" in world.podjig("clean").stdout
    assert "left container" in world.podjig("clean", "--all").stdout
    assert len(world.of(session)) == 1
    process.kill()  # the helper does not need the lease
    assert world.gone_in_time(session)


def test_the_service_killed_in_the_midst(own_world: World) -> None:
    """The test hears of it soon, what it made is still removed by a service started for that."""
    process, session = own_world.session("""
from podjig.errors import PodjigError
container = sleeper().start()
print("up", flush=True)
began = time.monotonic()
try:
    container.exec("sleep 600")
except PodjigError as error:
    print(time.monotonic() - began, error.message, flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
""")
    line_of(process)
    time.sleep(0.5)
    own_world.kill_service()
    seconds, message = line_of(process).split(" ", 1)
    assert float(seconds) < 5
    assert "lost" in message
    process.communicate("\n", timeout=60)
    own_world.kill_service()
    assert own_world.gone_in_time(session)


def test_the_service_killed_just_before_the_end(own_world: World) -> None:
    process, session = own_world.session("sleeper().start(); print('up', flush=True); sys.stdin.readline()")
    line_of(process)
    own_world.kill_service()
    _, err = process.communicate("\n", timeout=60)
    assert (process.returncode, err) == (0, "")
    assert own_world.of(session) == []
