from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cleanup.world import line_of
from fresh_home import SOURCE
from podjig.cleanup.lease import LeaseFolder, LeaseState, create, take

_HOLD = """
import sys
from pathlib import Path
from podjig.cleanup import lease
folder = lease.LeaseFolder(Path(sys.argv[1]))
held = lease.create(folder, "s1", address="unix:///engine")
for stage in sys.argv[2:]:
    held.mark(stage)
print("held", flush=True)
sys.stdin.readline()
"""
_LOOK = """
import sys
from pathlib import Path
from podjig.cleanup.lease import LeaseFolder, take
folder = LeaseFolder(Path(sys.argv[1]))
print(folder.state("s1").value, take(folder.lease("s1")) is None)
"""


def python(code: str, *arguments: str, through: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*through, sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def folder(tmp_path: Path) -> LeaseFolder:
    return LeaseFolder(tmp_path / "leases")


def test_a_lease_is_held_by_a_living_process_and_free_after_its_death(folder: LeaseFolder) -> None:
    holder = python(_HOLD, str(folder.path))
    assert line_of(holder) == "held"
    assert folder.state("s1") is LeaseState.HELD
    assert take(folder.lease("s1")) is None

    holder.kill()
    holder.communicate()
    assert folder.state("s1") is LeaseState.FREE
    taken = take(folder.lease("s1"))
    assert taken is not None
    assert taken.note().address == "unix:///engine"
    taken.release(remove=True)
    assert folder.state("s1") is LeaseState.ABSENT
    assert take(folder.lease("s1")) is None


def test_who_cleans_up_is_told_from_who_lives(folder: LeaseFolder) -> None:
    holder = python(_HOLD, str(folder.path), "cleaning")
    line_of(holder)
    assert folder.state("s1") is LeaseState.CLEANING
    holder.communicate("\n")


def test_own_leases_are_held_and_survive_being_looked_at(folder: LeaseFolder) -> None:
    lease = create(folder, "s1", address="unix:///engine")
    assert folder.state("s1") is LeaseState.HELD
    assert take(folder.lease("s1")) is None
    assert python(_LOOK, str(folder.path)).communicate()[0].split() == ["held", "True"]
    lease.release()
    assert folder.state("s1") is LeaseState.FREE


def test_two_who_look_do_not_take_each_other_for_the_holder(folder: LeaseFolder) -> None:
    create(folder, "s1", address="").release()
    looks = [python(_LOOK.replace("take(", "id("), str(folder.path)) for _ in range(4)]
    assert {look.communicate()[0].split()[0] for look in looks} == {"free"}


def test_a_forked_child_neither_holds_nor_drops_its_parents_lease(folder: LeaseFolder) -> None:
    lease = create(folder, "s1", address="")
    child = os.fork()
    if child == 0:
        lease.release(remove=True)
        os._exit(folder.state("s1") is not LeaseState.HELD)
    assert os.waitpid(child, 0)[1] == 0
    assert python(_LOOK, str(folder.path)).communicate()[0].split() == ["held", "True"]
    lease.release(remove=True)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare")
def test_a_holder_in_another_pid_namespace_is_alive(folder: LeaseFolder) -> None:
    unshare = ("unshare", "-r", "-p", "-f", "--mount-proc", "--kill-child")
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this host does not allow user namespaces")
    holder = python(_HOLD, str(folder.path), through=unshare)
    assert line_of(holder) == "held"
    assert folder.state("s1") is LeaseState.HELD  # seen from here, and the other way round
    mine = create(folder, "s2", address="")
    look = python(_LOOK.replace('"s1"', '"s2"'), str(folder.path), through=unshare)
    assert look.communicate()[0].split() == ["held", "True"]
    mine.release()
    holder.kill()
    holder.communicate()


def test_all_who_use_a_folder_read_the_same_id(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from podjig.cleanup.lease import LeaseFolder\n"
    code += "print(LeaseFolder(Path(sys.argv[1])).id)"
    processes = [python(code, str(tmp_path / "leases")) for _ in range(6)]
    assert len({process.communicate()[0] for process in processes}) == 1


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root writes everywhere")
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        LeaseFolder(tmp_path / "leases")


def test_looking_at_a_lease_of_ones_own_does_not_drop_it(folder: LeaseFolder) -> None:
    lease = create(folder, "s1", address="")
    assert not folder.is_done("s1")
    assert take(folder.lease("s1")) is None
    assert python(_LOOK, str(folder.path)).communicate()[0].split() == ["held", "True"]
    lease.release()
