"""A world of its own: a home, a runtime folder, a store with one small image, a private service."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from fresh_home import SOURCE, FreshHome, alive, kill_group, until
from podjig.cleanup.folders import Folders, folders
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.resource import Resource
from podjig.engine.discovery import current_engine
from podjig.engine.service import PrivateService
from podjig.image.store import ensure_image, resolve

PROMISE = 5.0
"""Seconds after an owner's death in which nothing of it may be left."""

_PAUSE_IMAGE = "localhost/podman-pause"  # Podman makes it with the first pod

Key = tuple[str, str]

_PRELUDE = """
import os, signal, sys, threading, time
from podjig import DockerImage, GenericContainer
from podjig.cleanup.session import close_sessions, session_of
from podjig.engine.discovery import current_engine

engine = current_engine()
session = session_of(engine)
print(session.id, flush=True)


def sleeper():
    return GenericContainer("busybox", command="sleep 600")


"""


class World:
    """A context manager that ends what was started in it and clears it away."""

    def __init__(self, image: bytes | None = None) -> None:
        self.fresh = FreshHome()
        self.image = resolve("busybox")
        self.environ = {
            **self.fresh.environ,
            "PATH": f"{Path(sys.executable).parent}:{self.fresh.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(SOURCE), *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PODJIG_IMAGE_MAP": f"busybox={self.image}",
        }
        self.service = PrivateService(idle=600, environ=self.environ)
        self.service.ensure()
        self.address = self.service.address
        self.client = LibpodClient(self.address, revive=self.service.ensure)
        status, answer = self.call("POST", "images/load", image if image is not None else saved_image())
        assert status == 200, answer
        self._processes: list[subprocess.Popen[str]] = []
        self.before = self.keys()
        self.folders.swept.touch()  # sweeps come when there is something to sweep

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for helper in self.helpers():
            os.kill(helper, signal.SIGKILL)
        for item in self.client.everything():
            if item.kind in ("pod", "container"):
                self.client.remove(item)
        for folder in self.fresh.service_folders():
            kill_group(int((folder / "service.pid").read_text()))
        # What containers have written may belong to other users of their namespace.
        store = self.fresh.home / ".local/share/containers"
        subprocess.run(
            ["podman", "unshare", "rm", "-rf", str(store)], env=self.environ, capture_output=True, check=False
        )
        self.fresh.__exit__(kind, error, trace)

    @property
    def folders(self) -> Folders:
        return folders(self.fresh.runtime / "podjig")

    @property
    def leases(self) -> list[str]:
        """The sessions that have a lease of which not all is done."""
        folder = self.folders.leases
        texts = {session: folder.lease(session).read_text() for session in folder.sessions()}
        return [session for session, text in texts.items() if not text.endswith("done\n")]

    def run(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        """Start a program in this world."""
        process = subprocess.Popen(
            command,
            env={**self.environ, **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.fresh.home,
            start_new_session=True,
        )
        self._processes.append(process)
        return process

    def python(self, code: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start Python code in this world."""
        return self.run(sys.executable, "-c", code, *arguments, **variables)

    def session(
        self, code: str, *arguments: str, through: tuple[str, ...] = (), **variables: str
    ) -> tuple[subprocess.Popen[str], str]:
        """Start code that has a session, ``through`` another program; return the process and the session's id."""
        process = self.run(*through, sys.executable, "-c", _PRELUDE + code, *arguments, **variables)
        return process, line_of(process)

    def podjig(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        process = self.run(sys.executable, "-m", "podjig.cli", *arguments, **variables)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def ps(self) -> list[dict[str, Any]]:
        """What ``podjig ps`` lists."""
        done = self.podjig("ps", "--format", "json")
        assert done.returncode == 0, done.stderr
        resources: list[dict[str, Any]] = json.loads(done.stdout)["resources"]
        return resources

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Call the engine, past everything of podjig's."""
        return call(self.address, method, path, body)

    def everything(self) -> list[Resource]:
        """All there is on the engine, whosever."""
        return self.client.everything()

    def keys(self) -> set[Key]:
        """What there is, but for what Podman makes for itself."""
        return {(item.kind, item.id) for item in self.everything() if not item.name.startswith(_PAUSE_IMAGE)}

    def left(self) -> set[Key]:
        """What there is that was not there at the beginning."""
        return self.keys() - self.before

    def of(self, session: str) -> list[str]:
        """What there is of a session."""
        return sorted(str(item) for item in self.client.resources(session=session))

    def gone_in_time(self, session: str) -> bool:
        """Whether nothing of a session is left within the promised time from now on."""
        return within(PROMISE, lambda: not self.of(session))

    def kill_service(self) -> None:
        """Kill the private service; containers live on."""
        pid = self.service.process_id
        assert pid is not None
        kill_group(pid)

    def helpers(self, session: str = "") -> list[int]:
        """The helper processes of this world, or of one session."""
        mark = b"cleanup/reaper.py\0", f"\0{self.fresh.runtime}/podjig\0".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    line = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if all(part in line for part in mark) and session.encode() in line and alive(int(entry.name)):
                    found.append(int(entry.name))
        return found

    def make(self, kind: str, name: str, labels: Mapping[str, str], **fields: Any) -> str:
        """Make something past podjig's builders, and return its id."""
        if kind == "volume":
            body = {"Name": name, "Label": labels, "Labels": labels}
            path = "volumes/create"
        elif kind == "container":
            body = {"image": self.image, "name": name, "command": ["sleep", "600"], "labels": labels}
            body |= {"netns": {"nsmode": "none"}, **fields}
            path = "containers/create"
        else:
            body = {"name": name, "labels": labels, **fields}
            path = f"{kind}s/create"
        status, answer = self.call("POST", path, body)
        assert status < 300, answer
        return str(answer.get("Id") or answer.get("id") or answer["Name"])

    def start(self, id: str, kind: str = "containers") -> None:
        status, answer = self.call("POST", f"{kind}/{id}/start")
        assert status < 305, answer

    @contextmanager
    def another(self) -> Iterator[World]:
        """For tests that break their world."""
        with World() as world:
            yield world


def within(seconds: float, condition: Callable[[], object]) -> bool:
    """Whether ``condition`` comes to hold within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a process writes; what it wrote to its standard error if it ends instead."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=20)[1]
    return line.strip()


_image: list[bytes] = []


def saved_image() -> bytes:
    """The small image, as an archive."""
    if not _image:
        name = resolve("busybox")
        ensure_image(current_engine(), name)
        status, data = call(current_engine().info.address, "GET", f"images/{name}/get?format=docker-archive")
        assert status == 200, data
        _image.append(data)
    return _image[0]


def call(address: str, method: str, path: str, body: object = None, *, raw: bool = False) -> tuple[int, Any]:
    """Call a Podman service and return the status and the answer, decoded if it is JSON and not wanted raw."""
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(60)
    connection.sock.connect(address.removeprefix("unix://"))
    headers = {"Content-Type": "application/x-tar" if isinstance(body, bytes) else "application/json"}
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    try:
        connection.request(method, f"/v4.0.0/libpod/{path}", data, headers)
        response = connection.getresponse()
        answer = response.read()
    finally:
        connection.close()
    if not raw and response.headers.get_content_type() == "application/json":
        return response.status, json.loads(answer or b"null")
    return response.status, answer


__all__ = ["PROMISE", "World", "alive", "call", "kill_group", "line_of", "until", "within"]
