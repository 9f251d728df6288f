"""What a container in memory does, told beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from podjig.engine.values import Stream
from podjig.spec import ContainerSpec


@dataclass(frozen=True, kw_only=True)
class Output:
    """Something that a container writes.

    Attributes:
        data: What.
        stream: Where to.
        after: Seconds after its start.
    """

    data: bytes
    stream: Stream = "stdout"
    after: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command run inside gives.

    Attributes:
        exit_code: Its exit status.
        stdout: What it writes to standard output.
        stderr: What it writes to standard error.
        seconds: How long it takes.
    """

    exit_code: int = 0
    stdout: bytes = b""
    stderr: bytes = b""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Call:
    """A command that is to be run inside.

    Attributes:
        container: The container's id.
        command: Program and arguments.
        env: The container's environment with what the command adds.
        user: As whom; empty for the container's own.
        workdir: Where; empty for the container's own.
        privileged: With all rights.
    """

    container: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    privileged: bool = False


Program = Outcome | Callable[[Call], Outcome]
"""A program inside: what it always gives, or a function that decides."""


@dataclass(frozen=True, kw_only=True)
class Script:
    """How containers of an image behave.

    Attributes:
        output: What they write once started.
        exit_code: With which status they end by themselves.
        exit_after: Seconds after the start at which they do; ``None`` for servers, which run until stopped.
        stop_code: With which status they end when asked to stop.
        programs: What ``exec`` and healthchecks find inside, by name.
        files: Path -> content, present from the start.
        start_error: Why they cannot be started; empty if they can.
    """

    output: tuple[Output, ...] = ()
    exit_code: int = 0
    exit_after: float | None = None
    stop_code: int = 143
    programs: Mapping[str, Program] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    start_error: str = ""


Behaviour = Script | Callable[[ContainerSpec], Script]
"""One script for all containers of an image, or one made for each."""
