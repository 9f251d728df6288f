from __future__ import annotations

import threading

import pytest

from podjig.engine.protocol import Engine


def test_info_says_which_engine_this_is(engine: Engine) -> None:
    info = engine.info
    assert info.name in ("podman", "docker", "memory")
    assert info.version[:1].isdigit()
    assert info.address
    assert info.origin
    assert info.host == "localhost"
    assert info.local is True


@pytest.mark.needs("processes")
def test_info_knows_whether_it_is_rootless(engine: Engine, request: pytest.FixtureRequest) -> None:
    assert engine.info.rootless is ("rootful" not in request.node.name)


def test_ping_returns_when_the_engine_answers(engine: Engine) -> None:
    engine.ping()


def test_close_may_be_called_twice_and_the_engine_goes_on(engine: Engine) -> None:
    engine.close()
    engine.close()
    engine.ping()


def test_capabilities_are_known(engine: Engine) -> None:
    assert engine.capabilities.health_on_demand is True


def test_it_may_be_used_from_several_threads(engine: Engine, run: object) -> None:
    errors: list[Exception] = []

    def ask() -> None:
        try:
            for _ in range(20):
                engine.ping()
                engine.list_containers(labels={"contract": "nothing-has-this"})
        except Exception as error:  # noqa: BLE001  whatever it is, the test shows it
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
