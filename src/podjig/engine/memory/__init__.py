r"""An engine for unit tests: containers are scripted state machines in memory.

It has the verbs and raises the errors of the real ones, and passes the same contract tests, but runs nothing: what a
container writes, when it ends, and what a command inside gives is told beforehand, image by image:

    from podjig.engine.memory import MemoryEngine, Outcome, Output, Script
    from podjig.errors import PortInUse
    from podjig.spec import ContainerSpec

    engine = MemoryEngine()
    engine.add_image(
        "docker.io/library/postgres:16",
        script=Script(
            output=(Output(data=b"ready to accept connections\n", after=0.05),),
            programs={"pg_isready": Outcome(stdout=b"accepting connections\n")},
        ),
    )
    id = engine.create_container(ContainerSpec(image="docker.io/library/postgres:16"))
    engine.start_container(id)
    assert engine.exec(id, ["pg_isready"]).exit_code == 0

    engine.end(id, exit_code=1)  # and what does your code do when the server dies?
    engine.refuse("start_container", PortInUse("host port 5432 is in use"))  # the next start fails
"""

from podjig.engine.memory.engine import MemoryEngine
from podjig.engine.memory.script import Call, Outcome, Output, Script

__all__ = ["Call", "MemoryEngine", "Outcome", "Output", "Script"]
