"""What happens inside containers in memory: logs, commands, healthchecks, files."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from podjig.engine.memory.container import MemoryContainer
from podjig.engine.memory.core import Core
from podjig.engine.memory.logs import FollowedLogs, select
from podjig.engine.memory.script import Call, Outcome
from podjig.engine.values import ExecResult, HealthResult, OutputChunk
from podjig.errors import CommandNotFound, EngineRequestError, ExecTimeout

_KILLED = 137
_TICK = 0.05  # seconds after which a waiter asks whether it is still wanted


class InsideVerbs(Core):
    """Logs, exec, healthchecks, archives."""

    def logs(
        self,
        id: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        since: float | None = None,
        tail: int | None = None,
    ) -> list[OutputChunk]:
        with self._at("logs"):
            return select(self._find(id).written, stdout=stdout, stderr=stderr, since=since, tail=tail)

    def follow_logs(
        self, id: str, *, stdout: bool = True, stderr: bool = True, since: float | None = None, tail: int | None = None
    ) -> FollowedLogs:
        with self._at("follow_logs"):
            container = self._find(id)
            wanted = {"stdout": stdout, "stderr": stderr}
            return FollowedLogs(
                lambda seen, still_wanted: self._more(container, seen, still_wanted),
                self._wake,
                wanted=lambda chunk: wanted[chunk.stream],
                ready=select(container.written, stdout=stdout, stderr=stderr, since=since, tail=tail),
                seen=len(container.written),
            )

    def exec(
        self,
        id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        workdir: str | None = None,
        privileged: bool = False,
        timeout: float | None = None,
    ) -> ExecResult:
        with self._at("exec"):
            container = self._running(id, f"run {command[0] if command else ''!r}")
            call = Call(
                container=container.id,
                command=tuple(command),
                env={**container.environment, **(env or {})},
                user=user or "",
                workdir=workdir or "",
                privileged=privileged,
            )
            outcome = self._outcome(container, call)
            allowed = outcome.seconds if timeout is None else min(timeout, outcome.seconds)
            if self._wait(lambda: container.status != "running", allowed, container):
                return ExecResult(exit_code=_KILLED, stdout=b"", stderr=b"", output=b"")
            if timeout is not None and outcome.seconds > timeout:
                raise ExecTimeout(
                    f"{' '.join(command)!r} did not end within {timeout:g} s in container {id!r}",
                    hint="give it a longer timeout; it may still run",
                )
            return ExecResult(
                exit_code=outcome.exit_code,
                stdout=outcome.stdout,
                stderr=outcome.stderr,
                output=outcome.stdout + outcome.stderr,
            )

    def run_healthcheck(self, id: str) -> HealthResult:
        with self._at("run_healthcheck"):
            container = self._running(id, "run its healthcheck")
            check = container.healthcheck
            if not check or check[0] == "NONE":
                raise EngineRequestError(f"container {id!r} has no healthcheck", hint="give it one")
            command = ("sh", "-c", check[1]) if check[0] == "CMD-SHELL" else tuple(check[1:])
            outcome = self._outcome(container, Call(container=container.id, command=command))
            container.health = "unhealthy" if outcome.exit_code else "healthy"
            output = (outcome.stdout + outcome.stderr).decode("utf-8", errors="replace")
            return HealthResult(status=container.health, output=output)

    def put_archive(self, id: str, path: str, archive: IO[bytes]) -> None:
        with self._at("put_archive"):
            self._find(id).files.unpack(path, archive)

    def get_archive(self, id: str, path: str) -> Iterator[bytes]:
        with self._at("get_archive"):
            packed = io.BytesIO(self._find(id).files.pack(path))
        return iter(lambda: packed.read(1 << 16), b"")

    def _more(
        self, container: MemoryContainer, seen: int, still_wanted: Callable[[], bool]
    ) -> list[OutputChunk] | None:
        with self._changed:
            while still_wanted():
                container.advance(time.time())
                if len(container.written) > seen:
                    return [chunk for _, chunk in container.written[seen:]]
                if container.status != "running":
                    return None
                self._wait(
                    lambda: len(container.written) > seen or container.status != "running" or not still_wanted(),
                    _TICK,
                    container,
                )
            return None

    def _outcome(self, container: MemoryContainer, call: Call) -> Outcome:
        program = container.script.programs.get(call.command[0]) if call.command else None
        if program is None:
            raise CommandNotFound(
                f"there is no program {call.command[0] if call.command else ''!r} in container {container.name!r}",
                hint="name it in the programs of the image's Script",
            )
        return program(call) if callable(program) else program
