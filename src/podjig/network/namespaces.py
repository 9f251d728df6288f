"""The namespaces of a container, entered from this machine without root.

Who owns a user namespace may enter it, and has all rights over the network that belongs to it. So what a rootless
engine has set up for us, we may change.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing, ContainerExited
from podjig.wait.process import is_process_of

_FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin"  # where `ip` and `tc` are, on the PATH of users or not
_DEADLINE = 20.0


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
    info = engine.inspect_container(id)
    if info.state.pid == 0:
        raise ContainerExited(f"container {info.name} is {info.state.status}: cannot {what}")
    if sys.platform != "linux" or not engine.info.local or not is_process_of(info.state.pid, info.id):
        raise CapabilityMissing(
            f"cannot {what}: the engine runs container {info.name} on another machine than this one",
            hint="use an engine on this machine",
        )
    return info.state.pid


def run_inside(pid: int, command: Sequence[str], *, what: str, input: str = "", pass_fds: Sequence[int] = ()) -> str:
    """Run a program of this machine in the network namespace of a process, and return what it wrote.

    Args:
        pid: The process.
        command: Program and arguments; found on the PATH, and where programs for administrators are.
        what: What it is for, in words that follow "cannot".
        input: What it reads.
        pass_fds: File descriptors that it inherits.

    Raises:
        CapabilityMissing: The program is not installed, the namespace may not be entered, or the program failed.
    """
    path = f"{os.environ.get('PATH', '')}:{_FOLDERS}"
    for program in ("nsenter", command[0]):
        if shutil.which(program, path=path) is None:
            package = {"nsenter": "util-linux"}.get(program, "iproute2")
            raise CapabilityMissing(f"cannot {what}: {program} is not installed", hint=f"install {package}")
    entered = ["nsenter", f"--target={pid}", "--net"]
    if os.geteuid() != 0 and not _same(pid, "user"):
        entered += ["--user", "--preserve-credentials"]
    done = subprocess.run(
        [*entered, "--", *command],
        input=input,
        pass_fds=pass_fds,
        capture_output=True,
        text=True,
        timeout=_DEADLINE,
        env={**os.environ, "PATH": path, "LC_ALL": "C"},
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        raise CapabilityMissing(f"cannot {what}: {command[0]} says {reason!r}")
    return done.stdout


def shares_our_network(pid: int) -> bool:
    """Whether a process has this machine's own network."""
    return _same(pid, "net")


def _same(pid: int, kind: str) -> bool:
    try:
        return Path(f"/proc/{pid}/ns/{kind}").readlink() == Path(f"/proc/self/ns/{kind}").readlink()
    except OSError:
        return False  # entering it says why
