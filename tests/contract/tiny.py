"""What the suite's commands do in the engine in memory: a shell of five words, in place of the tiny image's."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field

from podjig.engine.memory import Call, MemoryEngine, Outcome, Output, Script
from podjig.errors import CopyError
from podjig.spec import ContainerSpec


@dataclass
class Run:
    """How a command went: what it wrote and when, its exit code, how long it took."""

    output: list[Output] = field(default_factory=list)
    exit_code: int = 0
    seconds: float = 0.0

    def written(self, stream: str) -> bytes:
        return b"".join(output.data for output in self.output if output.stream == stream)


def tiny_script(engine: MemoryEngine, spec: ContainerSpec) -> Script:
    command = spec.command or ("sh",)
    if command[0] not in ("sh", "sleep", "echo"):
        return Script(start_error=f"exec: {command[0]!r}: executable file not found in $PATH")
    run = _run(command, engine, None)

    def program(call: Call) -> Outcome:
        ran = _run(call.command, engine, call)
        return Outcome(
            exit_code=ran.exit_code,
            stdout=ran.written("stdout"),
            stderr=ran.written("stderr"),
            seconds=ran.seconds,
        )

    return Script(
        output=tuple(run.output),
        exit_code=run.exit_code,
        exit_after=run.seconds,
        stop_code=137,
        programs=dict.fromkeys(("sh", "echo", "cat", "sleep", "env"), program),
    )


def _run(command: tuple[str, ...], engine: MemoryEngine, call: Call | None) -> Run:
    run = Run()
    if command[:2] == ("sh", "-c"):
        for step in command[2].split(";"):
            if not _step(shlex.split(step), run, engine, call):
                break
    else:
        _step(list(command), run, engine, call)
    return run


def _step(words: list[str], run: Run, engine: MemoryEngine, call: Call | None) -> bool:
    """Run one simple command; whether to go on."""
    to_stderr = words[-1:] == [">&2"]
    words = words[:-1] if to_stderr else words
    written: bytes | None = None
    match words:
        case ["echo", *rest]:
            written = f"{' '.join(rest)}\n".encode()
        case ["printf", text]:
            written = text.encode()
        case ["env"]:
            written = _environment(call.env if call else {})
        case ["sleep", seconds]:
            run.seconds += float(seconds)
        case ["exit", code]:
            run.exit_code = int(code)
            return False
        case ["cat", path] if call is not None:
            try:
                written = _read(engine, call.container, path)
            except CopyError:
                written, to_stderr, run.exit_code = f"cat: can't open '{path}'\n".encode(), True, 1
        case [] | ["sh"] | ["true"]:
            pass
        case [unknown, *_]:
            written, to_stderr, run.exit_code = f"sh: {unknown}: not found\n".encode(), True, 127
    if written is not None:
        run.output.append(Output(data=written, stream="stderr" if to_stderr else "stdout", after=run.seconds))
    return True


def _environment(env: Mapping[str, str]) -> bytes:
    return "".join(f"{name}={value}\n" for name, value in env.items()).encode()


def _read(engine: MemoryEngine, container: str, path: str) -> bytes:
    packed = b"".join(engine.get_archive(container, path))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        member = tar.extractfile(tar.getmembers()[0])
        assert member is not None
        return member.read()
