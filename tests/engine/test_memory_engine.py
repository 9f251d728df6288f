"""What the engine in memory has beyond the contract: what its users' tests tell it."""

from __future__ import annotations

import pytest

from podjig.engine.memory import Call, MemoryEngine, Outcome, Output, Script
from podjig.engine.protocol import Engine
from podjig.errors import ContainerExited, ContainerStartError, EngineUnavailable, ImagePullError, PortInUse
from podjig.spec import ContainerSpec, Port

IMAGE = "docker.io/library/postgres:16"


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


def start(engine: MemoryEngine, **fields: object) -> str:
    box = engine.create_container(ContainerSpec(image=IMAGE, **fields))  # type: ignore[arg-type]
    engine.start_container(box)
    return box


def test_it_is_an_engine(engine: MemoryEngine) -> None:
    same: Engine = engine
    assert same.info.name == "memory"


def test_the_example_of_its_documentation_holds(engine: MemoryEngine) -> None:
    engine.add_image(
        IMAGE,
        script=Script(
            output=(Output(data=b"ready to accept connections\n", after=0.05),),
            programs={"pg_isready": Outcome(stdout=b"accepting connections\n")},
        ),
    )
    box = start(engine)
    assert next(engine.follow_logs(box)).data == b"ready to accept connections\n"
    assert engine.exec(box, ["pg_isready"]).exit_code == 0
    engine.end(box, exit_code=1)
    with pytest.raises(ContainerExited, match="code 1"):
        engine.exec(box, ["pg_isready"])
    engine.refuse("start_container", PortInUse("host port 5432 is in use"))
    with pytest.raises(PortInUse):
        engine.start_container(box)
    engine.start_container(box)


def test_any_verb_can_be_made_to_fail_so_many_times(engine: MemoryEngine) -> None:
    engine.refuse("ping", EngineUnavailable("gone"), times=2)
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match="gone"):
            engine.ping()
    engine.ping()


def test_a_test_may_write_for_a_container(engine: MemoryEngine) -> None:
    engine.add_image(IMAGE)
    box = start(engine)
    followed = engine.follow_logs(box)
    engine.write(box, b"hello\n", stream="stderr")
    assert next(followed).data == b"hello\n"
    engine.end(box)
    assert list(followed) == []


def test_programs_may_decide(engine: MemoryEngine) -> None:
    def whoami(call: Call) -> Outcome:
        return Outcome(stdout=call.user.encode() + call.env["A"].encode())

    engine.add_image(IMAGE, script=Script(programs={"whoami": whoami}), env={"A": "1"})
    box = start(engine)
    assert engine.exec(box, ["whoami"], user="me").stdout == b"me1"


def test_a_script_may_depend_on_the_container(engine: MemoryEngine) -> None:
    engine.add_image(IMAGE, script=lambda spec: Script(start_error="no password" if not spec.env else ""))
    start(engine, env={"POSTGRES_PASSWORD": "x"})
    with pytest.raises(ContainerStartError, match="no password"):
        start(engine)


def test_ports_are_given_out_one_by_one(engine: MemoryEngine) -> None:
    engine.add_image(IMAGE)
    ports = {
        engine.inspect_container(start(engine, ports=(Port(container=5432),))).ports["5432/tcp"][0].host
        for _ in range(3)
    }
    assert len(ports) == 3


def test_an_image_may_be_in_a_registry_only(engine: MemoryEngine) -> None:
    engine.add_image(IMAGE, remote=True)
    assert engine.inspect_image(IMAGE) is None
    assert list(engine.pull_image(IMAGE))
    assert engine.inspect_image(IMAGE) is not None
    with pytest.raises(ImagePullError):
        list(engine.pull_image("docker.io/library/other:1"))
