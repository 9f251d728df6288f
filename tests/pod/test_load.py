"""Many at once, and how long a start takes."""

from __future__ import annotations

import threading

from pod.conftest import MakePod, box, native_also_rootful, server
from podjig import GenericContainer, LogMessageWaitStrategy, Pod


@native_also_rootful
def test_32_containers_in_4_pods(make_pod: MakePod) -> None:
    pods: list[Pod] = [
        make_pod(*(server(8000 + n, f"web{n}", text=f"pod{number}-{n}") for n in range(8))) for number in range(4)
    ]
    errors: list[BaseException] = []

    def start(pod: Pod) -> None:
        try:
            pod.start()
        except BaseException as error:  # noqa: BLE001  whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=start, args=(pod,)) for pod in pods]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for number, pod in enumerate(pods):
        asked = " ".join(f"wget -qO- http://web{n}:{8000 + n};" for n in range(8))
        answers = pod.members[0].exec(["sh", "-c", asked]).stdout.decode().split()
        assert answers == [f"pod{number}-{n}" for n in range(8)]
    assert len({member.get_exposed_port(8000 + n) for pod in pods for n, member in enumerate(pod.members)}) == 32


@native_also_rootful
def test_members_start_side_by_side_and_in_order(make_pod: MakePod) -> None:
    first, second, third, last = members = [box("sleep 600", name) for name in ("first", "second", "third", "last")]
    ready: list[GenericContainer] = []

    def once_all_run(container: GenericContainer) -> bool:
        """Is true when the first three run: were they started one after another, none would be ready ever."""
        if all(other.started and other.inspect().state.running for other in (first, second, third)):
            ready.append(container)
            return True
        return False

    for member in members:
        member.waiting_for(once_all_run)
    make_pod(first, second, third).add(last, depends_on=["first", "second"]).start()
    assert len(ready) == 4
    assert ready.index(last) > max(ready.index(first), ready.index(second))


def test_it_waits_with_the_strategy_of_each(make_pod: MakePod) -> None:
    one = box("sleep 0.3; echo one is up; sleep 600").waiting_for(LogMessageWaitStrategy("one is up"))
    two = server(8000)
    with make_pod(one, two):
        assert "one is up" in one.logs()
        assert two.get_exposed_port(8000)
