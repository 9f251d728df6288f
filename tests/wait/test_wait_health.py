"""Waiting for the healthcheck, run on demand."""

from __future__ import annotations

import pytest

from podjig import GenericContainer, HealthcheckWaitStrategy
from podjig.errors import ContainerExited, DefinitionError, WaitTimeout


def test_it_is_run_until_it_succeeds() -> None:
    container = GenericContainer("busybox", command=["sh", "-c", "sleep 0.3; touch /tmp/well; sleep 600"])
    container.with_healthcheck("test -f /tmp/well", retries=1).waiting_for(HealthcheckWaitStrategy())
    with container as started:
        assert started.exec("test -f /tmp/well").exit_code == 0


def test_a_list_runs_without_a_shell() -> None:
    container = GenericContainer("busybox", command="sleep 600").with_healthcheck(["test", "-d", "/"])
    with container.waiting_for(HealthcheckWaitStrategy()):
        pass


def test_an_unhealthy_one_shows_what_the_check_wrote(labels: dict[str, str]) -> None:
    container = GenericContainer("busybox", command="sleep 600").with_healthcheck(
        "echo feeling sick; exit 1", retries=1
    )
    container.waiting_for(HealthcheckWaitStrategy()).with_startup_timeout(0.2).with_labels(labels)
    with pytest.raises(WaitTimeout, match="its healthcheck to succeed; last check: unhealthy feeling sick"):
        container.start()


def test_a_container_without_one_is_an_error_at_once(box: GenericContainer) -> None:
    with pytest.raises(DefinitionError, match=r"busybox\) has no healthcheck") as caught:
        HealthcheckWaitStrategy().wait_until_ready(box)
    assert "with_healthcheck" in caught.value.hint


def test_the_end_of_the_container_ends_the_wait() -> None:
    container = GenericContainer("busybox", command=["sh", "-c", "sleep 0.2; exit 8"]).with_healthcheck("false")
    with pytest.raises(ContainerExited) as caught:
        container.waiting_for(HealthcheckWaitStrategy()).start()
    assert caught.value.exit_code == 8
