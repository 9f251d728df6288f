"""Programs run in the networks of containers, and what keeps them from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from network.conftest import Start, box
from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing, ContainerExited
from podjig.network import namespaces
from podjig.network.namespaces import NetworkNamespace, run_inside

pytestmark = pytest.mark.also_rootful

Run = Callable[[Engine, str, list[str]], str]


def by_process(engine: Engine, id: str, command: list[str]) -> str:
    return run_inside(engine.inspect_container(id).state.pid, command, what="test")


def by_file(engine: Engine, id: str, command: list[str]) -> str:
    return NetworkNamespace(engine, id, what="test").run(command, what="test")


@pytest.mark.parametrize("run", [by_process, by_file])
def test_programs_of_this_machine_run_there(
    engine: Engine, start: Start, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = start(box().with_network_mode("none"))
    assert run(engine, container.id, ["ip", "-o", "link"]).startswith("1: lo")
    with pytest.raises(CapabilityMissing, match="cannot test: ip says"):
        run(engine, container.id, ["ip", "no-such-object"])
    with pytest.raises(CapabilityMissing, match="no-such-program is not installed") as caught:
        run(engine, container.id, ["no-such-program"])
    assert "install" in caught.value.hint
    monkeypatch.setattr(namespaces, "_DEADLINE", 0.2)
    with pytest.raises(CapabilityMissing, match=r"cannot test: sleep did not end within 0\.2 s") as caught:
        run(engine, container.id, ["sleep", "60"])
    assert "overloaded" in caught.value.hint


def test_it_is_entered_after_its_container_ended(engine: Engine, start: Start) -> None:
    container = start(box().with_network_mode("none"))
    namespace, other = (NetworkNamespace(engine, container.id, what="test") for _ in range(2))
    assert namespace.key == other.key
    container.kill()
    container.wait(10)
    assert namespace.run(["ip", "-o", "link"], what="test").startswith("1: lo")
    with pytest.raises(ContainerExited, match="cannot test"):
        NetworkNamespace(engine, container.id, what="test")
    container.restart(0)
    assert NetworkNamespace(engine, container.id, what="test").key != namespace.key


def test_what_cannot_be_entered_is_refused(engine: Engine, start: Start) -> None:
    with pytest.raises(CapabilityMissing, match="cannot test: the container's network was not entered") as caught:
        run_inside(2**22, ["ip", "link"], what="test")  # no process has this number
    assert "the user whose engine it is" in caught.value.hint
    with pytest.raises(CapabilityMissing, match="this machine's own") as caught:
        NetworkNamespace(engine, start(box().with_network_mode("host")).id, what="test")
    assert "'host'" in caught.value.hint
