"""Commands inside containers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from podjig.engine.podman import faults
from podjig.engine.podman.containers import ContainerVerbs
from podjig.engine.podman.frames import FrameDecoder
from podjig.engine.podman.transport import path_part
from podjig.engine.podman.verbs import QUICK, SLOW, shown
from podjig.engine.values import ExecResult, OutputChunk
from podjig.errors import (
    CommandNotFound,
    EngineRequestError,
    EngineTimeout,
    EngineUnavailable,
    ExecError,
    ExecTimeout,
    PodjigError,
    ResourceNotFound,
)

_NO_DIRECTORY = re.compile(r"chdir to cwd|workdir", re.IGNORECASE)
_NO_PROGRAM = re.compile(
    r"OCI runtime attempted to invoke a command that was not found|OCI permission denied|executable file .*not found",
    re.IGNORECASE,
)
_PROCESS_GONE = re.compile(
    r"/proc/\d+/\S*: no such (file|process)|cannot exec in a stopped container|is not running", re.IGNORECASE
)
"""What the runtime says when the container's first process ends in the moment in which a command begins."""
_SETTLE = 5.0  # seconds in which the exit code of a command whose output has ended must be known


class ExecVerbs(ContainerVerbs):
    """Run a command."""

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
        what = f"run {command[0] if command else ''!r} in container {shown(id)}"
        request = {
            "Cmd": list(command),
            "AttachStdout": True,
            "AttachStderr": True,
            "Env": [f"{name}={value}" for name, value in (env or {}).items()],
            "User": user or "",
            "WorkingDir": workdir or "",
            "Privileged": privileged,
        }
        revivals = self._transport.revivals
        try:
            answer = self._transport.call(
                "POST", f"containers/{path_part(id)}/exec", what=what, deadline=QUICK, body=request
            )
            session = str(answer.json()["Id"])
            chunks = self._run(session, command, id, timeout, what)
        except ResourceNotFound:
            raise
        except EngineRequestError as error:
            if "state improper" in error.message or "not running" in error.message:
                raise self._not_running(id, f"run {command[0] if command else ''!r}") from None
            raise self._refusal(faults.reason(error), command, id) from None
        code = self._exit_code(session, id, what, revivals)
        stdout = b"".join(chunk.data for chunk in chunks if chunk.stream == "stdout")
        stderr = b"".join(chunk.data for chunk in chunks if chunk.stream == "stderr")
        if code in (126, 127) and not stdout and stderr.startswith(b"Error: "):
            # The runtime's words arrive as if the command had written them. A shell inside that knows no such
            # command ends with 127 as well, but never in these words.
            text = stderr.decode("utf-8", errors="replace").strip()
            if _NO_PROGRAM.search(text):
                raise self._refusal(text.splitlines()[0].removeprefix("Error: "), command, id)
        return ExecResult(exit_code=code, stdout=stdout, stderr=stderr, output=b"".join(chunk.data for chunk in chunks))

    def _refusal(self, text: str, command: Sequence[str], id: str) -> PodjigError:
        """Return the error for a command that could not be started; Podman calls it "not found" also where all ends."""
        if not _PROCESS_GONE.search(text):
            return _fault(text, command, id)
        with suppress(EngineTimeout):
            self.wait_container(id, timeout=_SETTLE)
        return self._not_running(id, f"run {command[0] if command else ''!r}")

    def _run(
        self, session: str, command: Sequence[str], id: str, timeout: float | None, what: str
    ) -> list[OutputChunk]:
        ends = None if timeout is None else time.monotonic() + timeout
        decoder = FrameDecoder()
        chunks: list[OutputChunk] = []
        try:
            with self._transport.stream(
                "POST",
                f"exec/{session}/start",
                what=what,
                deadline=SLOW if timeout is None else min(SLOW, max(timeout, 0.001)),
                body={"Detach": False, "Tty": False},
            ) as stream:
                while piece := stream.read(None if ends is None else ends - time.monotonic()):
                    chunks += decoder.feed(piece)
        except EngineTimeout:
            if timeout is None or (timeout > SLOW and time.monotonic() < (ends or 0)):
                raise
            output = b"".join(chunk.data for chunk in chunks).decode("utf-8", errors="replace")
            raise ExecTimeout(
                f"{' '.join(command)!r} did not end within {timeout:g} s in container {shown(id)}",
                hint="give it a longer timeout; it may still run",
                logs=output,
            ) from None
        return chunks + decoder.end()

    def _exit_code(self, session: str, id: str, what: str, revivals: int) -> int:
        ends = time.monotonic() + _SETTLE
        pause = 0.002
        while True:
            try:
                state = self._transport.call("GET", f"exec/{session}/json", what=what, deadline=QUICK).json()
            except ResourceNotFound:
                # The container ended, and its exec sessions with it.
                raise self._not_running(id, "learn how the command ended") from None
            if not state["Running"]:
                return int(state["ExitCode"])
            if self._transport.revivals != revivals:
                raise EngineUnavailable(
                    f"the connection to Podman was lost while it {what.replace('run', 'ran', 1)}",
                    hint="the service ended and was started again; the command may still run",
                )
            if time.monotonic() > ends:
                raise ExecError(f"Podman cannot {what}: its output ended, but the engine says that it runs")
            time.sleep(pause)
            pause = min(pause * 2, 0.1)


def _fault(text: str, command: Sequence[str], id: str) -> ExecError:
    """Return the error for a command that the engine could not start."""
    line = " ".join(command)
    if _NO_DIRECTORY.search(text):
        return ExecError(
            f"cannot run {line!r} in container {shown(id)}: {text}", hint="the working directory is missing"
        )
    if _NO_PROGRAM.search(text):
        return CommandNotFound(
            f"there is no program {command[0]!r} in container {shown(id)}: {text}",
            hint="check its name and path; shell syntax needs a shell: ['sh', '-c', '...']",
        )
    return ExecError(f"cannot run {line!r} in container {shown(id)}: {text}")
