"""The way to a service on another machine: one ``ssh`` that forwards its socket to one of ours.

podman-py has an adapter of its own for this, which starts an ``ssh`` for each connection, waits up to five minutes
for one that has failed long since, and accepts any host key.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from podjig.errors import EngineUnavailable

_DEADLINE = 30.0  # seconds for ssh to log in


class Tunnel:
    """One forwarded socket, opened at first need. ``CONTAINER_SSHKEY`` names a key, as for Podman itself.

    Args:
        address: ``ssh://[user@]host[:port]/path/of/socket``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def ensure(self) -> Path:
        """Return the path of a socket that reaches the service.

        Raises:
            EngineUnavailable: There is no ssh, or it could not log in or forward.
        """
        with self._lock:
            if (
                self._folder is None
                or self._process is None
                or (self._pid == os.getpid() and self._process.poll() is not None)
            ):
                self._open()
            assert self._folder is not None
            return self._folder / "podman.sock"

    def close(self) -> None:
        """End ssh. A forked child leaves its parent's alone."""
        with self._lock:
            process, folder = self._process, self._folder
            self._process = self._folder = None
            if process is None or self._pid != os.getpid():
                return
            process.terminate()
            process.wait()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _open(self) -> None:
        url = urlsplit(self._address)
        if self._folder is not None and self._pid == os.getpid():
            shutil.rmtree(self._folder, ignore_errors=True)  # of an ssh that has ended
        self._folder = Path(tempfile.mkdtemp(prefix="podjig-ssh-"))
        local = self._folder / "podman.sock"
        command = ["ssh", "-N", "-T", "-o", "BatchMode=yes", "-o", "ExitOnForwardFailure=yes"]
        command += ["-o", "ServerAliveInterval=15", "-L", f"{local}:{url.path}"]
        if key := os.environ.get("CONTAINER_SSHKEY"):
            command += ["-i", key]
        if url.port:
            command += ["-p", str(url.port)]
        if url.username:
            command += ["-l", url.username]
        errors = self._folder / "errors"
        try:
            with errors.open("wb") as sink:
                self._process = subprocess.Popen(
                    [*command, "--", url.hostname or ""],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=sink,
                    start_new_session=True,  # Ctrl-C is for the tests; we end ssh when we are done
                )
        except FileNotFoundError:
            raise EngineUnavailable(
                f"cannot reach {self._address}: there is no ssh program", hint="install an OpenSSH client"
            ) from None
        self._pid = os.getpid()
        atexit.register(self.close)
        deadline = time.monotonic() + _DEADLINE
        while not local.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                self._process = None
                said = errors.read_text(errors="replace").strip()
                raise EngineUnavailable(
                    f"cannot reach {self._address}: ssh {'ended' if said else 'did not log in'}",
                    hint=f"check that 'ssh {url.netloc}' logs in without asking",
                    logs=said,
                )
            time.sleep(0.02)
