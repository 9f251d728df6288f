"""Waiting for the status, or for the end."""

from __future__ import annotations

import pytest

from podjig import ContainerStatusWaitStrategy, ExitWaitStrategy, GenericContainer
from podjig.errors import ContainerExited, WaitTimeout


def test_a_running_container(box: GenericContainer) -> None:
    assert ContainerStatusWaitStrategy().check(box) is None


def test_one_that_has_ended_does_not_run(labels: dict[str, str]) -> None:
    container = GenericContainer("busybox", command=["sh", "-c", "exit 2"]).with_labels(labels)
    with container:
        assert container.wait(timeout=10) == 2
        with pytest.raises(ContainerExited, match="exited with code 2"):
            ContainerStatusWaitStrategy().wait_until_ready(container)


@pytest.mark.parametrize(("expected", "code"), [(0, 0), (3, 3), (None, 0), (None, 7)])
def test_the_end_with_the_code_expected(expected: int | None, code: int) -> None:
    container = GenericContainer("busybox", command=["sh", "-c", f"sleep 0.1; exit {code}"])
    with container.waiting_for(ExitWaitStrategy(expected)) as job:
        assert job.wait(timeout=1) == code


@pytest.mark.parametrize(("expected", "code"), [(0, 1), (1, 0)])
def test_the_end_with_another_code_is_an_error(expected: int, code: int, labels: dict[str, str]) -> None:
    container = GenericContainer("busybox", command=["sh", "-c", f"echo so long; exit {code}"]).with_labels(labels)
    with pytest.raises(ContainerExited, match=f"exited with code {code}, not {expected}") as caught:
        container.waiting_for(ExitWaitStrategy(expected)).start()
    assert caught.value.exit_code == code
    assert "so long" in caught.value.logs


def test_an_end_that_does_not_come(box: GenericContainer) -> None:
    with pytest.raises(WaitTimeout, match="waited for it to end with exit code 0; last status: running"):
        ExitWaitStrategy().with_startup_timeout(0.1).wait_until_ready(box)
    assert ExitWaitStrategy(None).describe() == "it to end"
