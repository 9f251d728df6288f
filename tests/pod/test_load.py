"""Many at once, and how long a start takes."""

from __future__ import annotations

import threading
import time

from pod.conftest import MakePod, box, native_also_rootful, server
from podjig import LogMessageWaitStrategy, Pod


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
    ready: list[str] = []

    def slow(name: str) -> object:
        def check(_: object) -> bool:
            if "up" in container.logs():
                ready.append(name)
                return True
            return False

        container = box("sleep 1; echo up; sleep 600", name).waiting_for(check)
        return container

    first, second, third, last = (slow(name) for name in ("first", "second", "third", "last"))
    pod = make_pod(first, second, third).add(last, depends_on=["first", second])  # type: ignore[arg-type, list-item]
    begun = time.monotonic()
    pod.start()
    took = time.monotonic() - begun
    assert set(ready[:3]) == {"first", "second", "third"}
    assert ready[3] == "last"
    print(f"{took:.2f} s for two generations of 1 s")
    assert took < 4  # one after another, their sleeps alone would take that


def test_it_waits_with_the_strategy_of_each(make_pod: MakePod) -> None:
    one = box("sleep 0.3; echo one is up; sleep 600").waiting_for(LogMessageWaitStrategy("one is up"))
    two = server(8000)
    with make_pod(one, two):
        assert "one is up" in one.logs()
        assert two.get_exposed_port(8000)
