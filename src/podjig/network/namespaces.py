"""The namespaces of a container, entered from this machine without root.

Who owns a user namespace may enter it, and has all rights over the network that belongs to it. So what a rootless
engine has set up for us, we may change.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing, ContainerExited
from podjig.wait.process import is_process_of

_FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin"  # where `ip` and `tc` are, on the PATH of users or not
_DEADLINE = 20.0
_NEWS = 0.5
"""Seconds in which an engine learns that a process has ended."""

_NOT_OURS = "run the tests as the user whose engine it is"


def first_process(engine: Engine, id: str, *, what: str) -> int:
    """Return a container's first process as this machine numbers it.

    Args:
        engine: The engine that runs it.
        id: Its id.
        what: What it is needed for, in words that follow "cannot".

    Raises:
        ContainerExited: It does not run.
        CapabilityMissing: Its processes are not to be seen from here.
    """
    patience = time.monotonic() + _NEWS
    while True:
        info = engine.inspect_container(id)
        pid = info.state.pid
        if pid == 0:
            raise ContainerExited(f"container {info.name} is {info.state.status}: cannot {what}")
        here = sys.platform == "linux" and engine.info.local
        if here and is_process_of(pid, info.id):
            return pid
        if here and not Path(f"/proc/{pid}").exists() and time.monotonic() < patience:
            time.sleep(0.02)  # it has just ended, and the engine does not know yet
            continue
        raise CapabilityMissing(
            f"cannot {what}: the engine runs container {info.name} on another machine than this one",
            hint="use an engine on this machine",
        )


class NetworkNamespace:
    """The network namespace of a container, held open: to be entered also when the container has ended.

    It is let go of with this object.

    Args:
        engine: The engine.
        id: The container.
        what: What it is needed for, in words that follow "cannot".

    Attributes:
        key: Two that are open have the same where they are one.

    Raises:
        ContainerExited: The container does not run.
        CapabilityMissing: Its namespace may not be entered from here, or is this machine's own.
    """

    def __init__(self, engine: Engine, id: str, *, what: str) -> None:
        pid = first_process(engine, id, what=what)
        if shares_our_network(pid):
            raise CapabilityMissing(f"cannot {what}: it is this machine's own", hint="leave network mode 'host' out")
        kinds = ["net", *(["user"] if _other_user_namespace(pid) else [])]
        files: list[int] = []
        weakref.finalize(self, _close, files)
        try:
            files.extend(os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds)
        except (FileNotFoundError, ProcessLookupError):
            raise ContainerExited(f"container {id[:12]!r} ended meanwhile: cannot {what}") from None
        except OSError as error:
            raise CapabilityMissing(
                f"cannot {what}: its network may not be entered from here ({error.strerror})", hint=_NOT_OURS
            ) from None
        status = os.fstat(files[0])
        self.key: tuple[int, int] = (status.st_dev, status.st_ino)
        self._files = files

    def run(self, command: Sequence[str], *, what: str, input: str = "") -> str:
        """Run a program of this machine in it; see :func:`run_inside`."""
        paths = [f"--{kind}=/proc/self/fd/{file}" for kind, file in zip(("net", "user"), self._files, strict=False)]
        return _run(paths, command, what=what, input=input, pass_fds=self._files)


def _close(files: list[int]) -> None:
    for file in files:
        with suppress(OSError):
            os.close(file)


def run_inside(pid: int, command: Sequence[str], *, what: str, input: str = "", pass_fds: Sequence[int] = ()) -> str:
    """Run a program of this machine in the network namespace of a process, and return what it wrote.

    Args:
        pid: The process.
        command: Program and arguments; found on the PATH, and where programs for administrators are.
        what: What it is for, in words that follow "cannot".
        input: What it reads.
        pass_fds: File descriptors that it inherits.

    Raises:
        CapabilityMissing: The program is not installed, the namespace may not be entered, or the program failed or
            did not end.
    """
    entered = [f"--target={pid}", "--net", *(["--user"] if _other_user_namespace(pid) else [])]
    return _run(entered, command, what=what, input=input, pass_fds=pass_fds)


def _run(entered: Sequence[str], command: Sequence[str], *, what: str, input: str, pass_fds: Sequence[int]) -> str:
    path = f"{os.environ.get('PATH', '')}:{_FOLDERS}"
    for program in ("nsenter", command[0]):
        if shutil.which(program, path=path) is None:
            package = {"nsenter": "util-linux"}.get(program, "iproute2")
            raise CapabilityMissing(f"cannot {what}: {program} is not installed", hint=f"install {package}")
    try:
        done = subprocess.run(
            ["nsenter", *entered, "--preserve-credentials", "--", *command],
            input=input,
            pass_fds=pass_fds,
            capture_output=True,
            text=True,
            timeout=_DEADLINE,
            env={**os.environ, "PATH": path, "LC_ALL": "C"},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CapabilityMissing(
            f"cannot {what}: {command[0]} did not end within {_DEADLINE:g} s",
            hint="this machine is overloaded: run fewer tests at once",
        ) from None
    if done.returncode:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        if reason.startswith("nsenter: "):
            raise CapabilityMissing(f"cannot {what}: the container's network was not entered: {reason}", hint=_NOT_OURS)
        raise CapabilityMissing(f"cannot {what}: {command[0]} says {reason!r}")
    return done.stdout


def shares_our_network(pid: int) -> bool:
    """Whether a process has this machine's own network."""
    return _same(pid, "net")


def _other_user_namespace(pid: int) -> bool:
    """Whether the rights over a process's network are had by entering its user namespace."""
    return os.geteuid() != 0 and not _same(pid, "user")


def _same(pid: int, kind: str) -> bool:
    try:
        return Path(f"/proc/{pid}/ns/{kind}").readlink() == Path(f"/proc/self/ns/{kind}").readlink()
    except OSError:
        return False  # entering it says why
