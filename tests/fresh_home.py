"""A user who has just been made: an empty home, a runtime folder, and private services that end with the test."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from podjig.engine.service import PrivateService

SOURCE = Path(__file__).parents[1] / "src"


class FreshHome:
    """A home and a runtime folder below ``/tmp``, short enough for sockets; a context manager that clears up."""

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="pj-", dir="/tmp"))
        self.home, self.runtime = self.root / "h", self.root / "r"
        for folder in (self.home, self.runtime):
            folder.mkdir(mode=0o700)

    def __enter__(self) -> FreshHome:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for folder in self.service_folders():
            kill_group(int((folder / "service.pid").read_text()))
        pause = self.runtime / "libpod/tmp/pause.pid"
        if pause.exists():
            kill_group(int(pause.read_text()))
        shutil.rmtree(self.root)

    @property
    def environ(self) -> dict[str, str]:
        environ = {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.runtime),
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
        }
        own = self.home / ".config/containers/containers.conf"
        if os.getuid() == 0 and own.exists():
            environ["CONTAINERS_CONF"] = str(own)  # rootful podman reads nothing in a home
        return environ

    def service(self, *, idle: float = 60, **variables: str) -> PrivateService:
        return PrivateService(idle=idle, environ={**self.environ, **variables})

    def service_folders(self) -> Iterator[Path]:
        yield from (path.parent for path in self.runtime.glob("podjig/service-*/service.pid"))

    def configure(self, name: str, text: str) -> Path:
        path = self.home / ".config/containers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def podman(self, *arguments: str, **variables: str) -> str:
        """Run plain podman as this user."""
        done = subprocess.run(
            ["podman", *arguments], env={**self.environ, **variables}, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def python(self, code: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Run Python code as this user, in another process."""
        paths = os.pathsep.join([str(SOURCE), *filter(None, sys.path)])
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**self.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.home,
        )


def alive(pid: int) -> bool:
    """Whether a process lives; one that has ended and is not yet reaped does not."""
    return _status(pid)[0] not in "ZX"


def kill_group(pid: int) -> None:
    """Kill a process and what belongs to it (rootless podman is two), and wait for the end of all."""
    try:
        group = os.getpgid(pid)
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
    until(lambda: not any(alive(member) for member in _members(group)))


def _members(group: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if _status(pid)[2] == str(group)]


def _status(pid: int) -> list[str]:
    """State, parent, process group ... of a process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["X", "0", "0"]


def until(condition: Callable[[], object], *, seconds: float = 20) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still not so after {seconds} s"
        time.sleep(0.02)
