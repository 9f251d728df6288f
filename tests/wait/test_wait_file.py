"""Waiting for a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from podjig import FileExistsWaitStrategy, GenericContainer
from podjig.errors import ContainerExited, DefinitionError, WaitTimeout


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc", "/etc/", Path("/bin/sh"), "/dev/null", "/proc/1/stat"])
def test_a_file_or_folder_that_exists(box: GenericContainer, path: str | Path) -> None:
    assert FileExistsWaitStrategy(path).check(box) is None


def test_a_file_that_does_not_exist(box: GenericContainer) -> None:
    assert FileExistsWaitStrategy("/no/such/file").check(box) == "it is not there"
    with pytest.raises(WaitTimeout, match="waited for the file '/absent' to exist inside; it is not there"):
        FileExistsWaitStrategy("/absent").with_startup_timeout(2).wait_until_ready(box)


def test_a_start_waits_for_it() -> None:
    command = ["sh", "-c", "sleep 0.3; touch /run/ready; sleep 600"]
    container = GenericContainer("busybox", command=command).with_tmpfs_mount("/run")
    with container.waiting_for(FileExistsWaitStrategy("/run/ready")) as started:
        assert started.exec("test -f /run/ready").exit_code == 0


def test_a_big_one_is_not_read(box: GenericContainer) -> None:
    box.exec("truncate -s 4G /tmp/big")
    FileExistsWaitStrategy("/tmp/big").with_startup_timeout(5).wait_until_ready(box)


def test_a_file_on_this_machine(tmp_path: Path, box: GenericContainer) -> None:
    tmp_path.chmod(0o777)
    strategy = FileExistsWaitStrategy(tmp_path / "ready", on_host=True)
    assert strategy.check(box) == "it is not there"
    assert strategy.describe() == f"the file '{tmp_path}/ready' to exist on this machine"
    container = GenericContainer("busybox", command="sh -c 'sleep 0.2; touch /out/ready; sleep 600'")
    with container.with_volume_mapping(tmp_path, "/out", "rw").waiting_for(strategy):
        assert (tmp_path / "ready").exists()


def test_who_mixes_up_the_sides_is_told(tmp_path: Path, box: GenericContainer) -> None:
    (tmp_path / "here").touch()
    missing = FileExistsWaitStrategy(tmp_path / "here").check(box)
    assert missing == "it is not there inside; this machine has such a file: on_host=True looks here"


def test_the_end_of_the_container_ends_the_wait() -> None:
    container = GenericContainer("busybox", command=["sh", "-c", "exit 2"])
    with pytest.raises(ContainerExited, match="exited with code 2"):
        container.waiting_for(FileExistsWaitStrategy("/absent")).start()


def test_a_file_that_a_job_leaves_counts_after_its_end() -> None:
    container = GenericContainer("busybox", command="touch /tmp/result")
    with container.waiting_for(FileExistsWaitStrategy("/tmp/result")) as job:
        assert job.copy_from_container("/tmp/result") == b""


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(DefinitionError, match="'etc/passwd' is not absolute"):
        FileExistsWaitStrategy("etc/passwd")
