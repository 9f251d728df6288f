"""Waiting for a user's own function."""

from __future__ import annotations

import pytest

from podjig import GenericContainer, wait_for_logs
from podjig.errors import WaitTimeout
from podjig.wait.function import FunctionWaitStrategy


def test_it_gets_the_container_and_is_asked_until_it_says_yes() -> None:
    seen: list[object] = []

    def third_time(container: GenericContainer) -> int:
        seen.append(container)
        return len(seen) // 3

    with GenericContainer("busybox", command="sleep 600").waiting_for(third_time) as container:
        assert seen == [container] * 3


def test_its_last_answer_is_told(box: GenericContainer) -> None:
    def rows(_: object) -> list[str]:
        return []

    with pytest.raises(WaitTimeout, match=r"waited for rows\(\) to return something true; it returned \[\]"):
        FunctionWaitStrategy(rows).with_startup_timeout(0).wait_until_ready(box)


def test_a_refused_connection_means_not_yet(box: GenericContainer) -> None:
    answers = iter([ConnectionRefusedError(), TimeoutError(), None])

    def connects(_: object) -> bool:
        error = next(answers)
        if error is not None:
            raise error
        return True

    FunctionWaitStrategy(connects).wait_until_ready(box)


def test_a_wait_within_it_that_times_out_means_not_yet(box: GenericContainer) -> None:
    def said(container: GenericContainer) -> bool:
        wait_for_logs(container, "never", timeout=0)
        return True

    with pytest.raises(WaitTimeout, match="last error: WaitTimeout"):
        FunctionWaitStrategy(said).with_startup_timeout(0).wait_until_ready(box)


def test_a_mistake_in_it_is_not_hidden(box: GenericContainer) -> None:
    with pytest.raises(ZeroDivisionError):
        FunctionWaitStrategy(lambda _: 1 / 0).wait_until_ready(box)


def test_any_callable_will_do(box: GenericContainer) -> None:
    class Ready:
        def __call__(self, container: GenericContainer) -> bool:
            return container.status == "running"

    FunctionWaitStrategy(Ready()).wait_until_ready(box)
