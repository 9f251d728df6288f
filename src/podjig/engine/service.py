"""Our own Podman service: on a private socket, with settings chosen for this host, shared, gone when idle.

Needs no systemd, no root and no configuration. We listen on the socket and hand it to ``podman system service`` as
systemd's socket activation would, so a client may connect at once: it waits in the queue until Podman is up. Who
starts it among concurrent processes is decided by a lock; that it runs, by whether somebody listens.
"""

from __future__ import annotations

import math
import os
import socket as sockets
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from podjig.engine import binary, environment
from podjig.engine.file_lock import locked
from podjig.engine.ping import PingFailed, Pong, ping
from podjig.engine.runtime_dir import private_folder, runtime_dir
from podjig.engine.service_key import service_key
from podjig.engine.service_log import Log
from podjig.errors import EngineUnavailable, ServiceStartError

if TYPE_CHECKING:
    from podjig.engine.choice import Choice

START_TIMEOUT = 30.0
_LOCK_TIMEOUT = 30.0
_RUNNING_TIMEOUT = 5.0
_BACKLOG = 128
# The socket comes as standard input and becomes descriptor 3, where socket activation expects it. The inner shell
# becomes podman: so the process id that LISTEN_PID must name is its own. The outer one ends at once, and podman
# is nobody's child: no zombie in the user's process.
_SCRIPT = """umask 022; exec 3<&0 </dev/null
/bin/sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"' podjig "$@" &
echo $! >service.pid"""


class PrivateService:
    """The private service of this user, these settings and this Podman. Constructing does no I/O.

    Safe to use from several threads and after a fork.
    """

    def __init__(self, *, idle: float = 120.0, environ: Mapping[str, str] | None = None) -> None:
        """Describe the service.

        Args:
            idle: Seconds without a request after which it ends by itself.
            environ: The environment it derives its own from; default: this process's.
        """
        self._idle = idle
        self._environ = dict(os.environ if environ is None else environ)
        self._pid = os.getpid()
        self._mutex = threading.RLock()
        self._folder: Path | None = None

    @property
    def binary(self) -> binary.Binary:
        """The podman that serves.

        Raises:
            EngineUnavailable: There is none.
        """
        found = binary.find(self._environ)
        if found is None:
            raise EngineUnavailable("podman is not on PATH", hint=binary.INSTALL_HINT)
        return found

    @property
    def version(self) -> tuple[int, ...]:
        """Podman's version."""
        return binary.version(self.binary, runtime_dir(self._environ))

    @property
    def folder(self) -> Path:
        """The service's own folder: socket, lock, log, settings."""
        if self._folder is None:
            inherited = environment.inherited(self._environ)
            self._folder = runtime_dir(self._environ) / f"service-{service_key(inherited, self.binary)}"
        return self._folder

    @property
    def socket(self) -> Path:
        """Its unix socket."""
        return self.folder / "podman.sock"

    @property
    def address(self) -> str:
        """The socket as a URL."""
        return f"unix://{self.socket}"

    @property
    def log_path(self) -> Path:
        """What it writes: warnings and errors, those of its start too."""
        return self.folder / "service.log"

    @property
    def choices(self) -> tuple[Choice, ...]:
        """Its settings, as they are chosen for a service that starts now.

        Raises:
            ConfigError: A configuration file of Podman's is broken.
        """
        from podjig.engine import host, settings

        inherited = environment.inherited(self._environ)
        return settings.choose(host.probe(inherited), inherited, version=self.version)

    @property
    def process_id(self) -> int | None:
        """The service's first process as last started; ``None`` where that is not known. It may have ended."""
        try:
            return int((self.folder / "service.pid").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def running(self) -> bool:
        """Whether it answers. Costs a millisecond where it does, nothing where it does not run."""
        try:
            ping(self.address, timeout=_RUNNING_TIMEOUT)
        except PingFailed:
            return False
        return True

    def start(self) -> None:
        """Start the service unless it runs, without waiting for its first answer.

        Raises:
            EngineUnavailable: There is no podman, or no folder for the socket.
            ConfigError: A configuration file of Podman's is broken.
            EngineTimeout: Another process has been starting it for too long.
        """
        with self._lock():
            self._start()

    def ensure(self) -> Pong:
        """Return once the service answers, having started it if need be. Costs a millisecond where it runs.

        Raises:
            ServiceStartError: It ended or hung before it answered; ``logs`` holds its output.
            EngineUnavailable: As :meth:`start`, and so are the other errors.
        """
        with self._lock():
            Log(self.log_path).keep_small()
            return self._start() or self._first_answer()

    def revive(self) -> None:
        """:meth:`ensure`, for an engine whose connection was refused."""
        self.ensure()

    def _lock(self) -> threading.RLock:
        if self._pid != os.getpid():  # forked: another thread of the parent may have held the mutex
            self._pid, self._mutex = os.getpid(), threading.RLock()
        return self._mutex

    def _start(self) -> Pong | None:
        """Start the service unless it runs; if it does, return its answer."""
        pong = self._answer()
        if pong:
            return pong
        try:
            private_folder(self.folder)
            with locked(self.folder / "lock", timeout=_LOCK_TIMEOUT):
                pong = self._answer()
                if not pong:
                    self._spawn()
        except OSError as error:
            raise EngineUnavailable(
                f"cannot start the private Podman service in {self.folder}: {error}",
                hint="make that folder writable, or set XDG_RUNTIME_DIR to one of your own",
            ) from error
        return pong

    def _answer(self) -> Pong | None:
        """Ask it; ``None`` where nobody listens, or what listened ended. A bare connect would fill its log."""
        try:
            return ping(self.address, timeout=START_TIMEOUT)
        except PingFailed as failure:
            if failure.pending:
                raise self._failure(str(failure)) from None
            return None

    def _first_answer(self) -> Pong:
        try:
            return ping(self.address, timeout=START_TIMEOUT)
        except PingFailed as failure:
            raise self._failure(str(failure)) from None

    def _failure(self, reason: str) -> ServiceStartError:
        from podjig.engine.log_diagnosis import findings

        logs = Log(self.log_path).tail()
        words = [line.removeprefix("Error: ") for line in logs.splitlines() if line.startswith("Error: ")]
        known = findings(logs)
        return ServiceStartError(
            f"the private Podman service did not start: {words[-1] if words else reason} ({self.socket})",
            hint=known[0].repair if known else "run 'podjig doctor', and look at your own containers.conf",
            logs=logs,
        )

    def _spawn(self) -> None:
        import subprocess

        podman, environ, log = self.binary, self._prepare(), Log(self.log_path)
        idle = max(1, math.ceil(self._idle))
        command = [podman.path, "system", "service", f"--time={idle}"]
        with self._listen() as listener, log.begin(command) as output:
            launcher = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT, "podjig", *command],
                stdin=listener.fileno(),
                stdout=output,
                stderr=output,
                cwd=self.folder,
                env=environ,
                start_new_session=True,
            )
            launcher.wait()

    def _prepare(self) -> dict[str, str]:
        """Write the private containers.conf and return the service's environment."""
        # Late: whoever only asks which engine there is, as pytest's header does, has no use for them.
        from podjig.engine import containers_conf, host, settings

        version = self.version
        inherited = environment.inherited(self._environ)
        found = host.probe(inherited)
        choices = settings.choose(found, inherited, version=version)
        environ = environment.repaired(inherited, choices)
        if environ.get("HOME") != inherited.get("HOME"):
            private_folder(Path(environ["HOME"]))
        conf = containers_conf.read(environ, rootless=found.rootless, version=version)
        path = self.folder / "containers.conf"
        override = version >= containers_conf.OVERRIDE_SINCE
        table = settings.conf_table(choices, conf, version)
        if override and environ.get("CONTAINERS_CONF_OVERRIDE"):
            theirs = containers_conf.load_toml(Path(environ["CONTAINERS_CONF_OVERRIDE"]))
            containers_conf.merge(theirs, table, {}, "")
            table = theirs
        path.write_text(containers_conf.render(table), encoding="utf-8")
        environ["CONTAINERS_CONF_OVERRIDE" if override else "CONTAINERS_CONF"] = str(path)
        return environ

    def _listen(self) -> sockets.socket:
        listener = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
        try:
            self.socket.unlink(missing_ok=True)  # nobody listens on it: we hold the lock and have just asked
            listener.bind(str(self.socket))
            self.socket.chmod(0o600)
            listener.listen(_BACKLOG)
        except BaseException:
            listener.close()
            raise
        return listener
