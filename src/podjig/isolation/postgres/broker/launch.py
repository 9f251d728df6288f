"""Finding the broker for a server, or starting it."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

from podjig import __version__
from podjig.engine.file_lock import locked
from podjig.engine.runtime_dir import private_folder, runtime_dir
from podjig.errors import EngineTimeout
from podjig.isolation.postgres.broker import process
from podjig.isolation.postgres.broker.messages import PROTOCOL

_SCRIPT = 'exec 3<&0; "$@" <&3 3<&- &'  # as in cleanup/helper.py: nobody's child, with the standard input it was given
_FILES = ("socket", "log", "lock")
_LOCK_TIMEOUT = 10.0
_ATTEMPTS = 3
_BACKLOG = 128


def key_of(*identity: object) -> str:
    """Return the key of the broker for a server: brokers of another podjig or Python have other keys.

    Args:
        identity: What tells the server, how it is reached and as whom.
    """
    ours = (__version__, PROTOCOL, sys.executable, os.path.abspath(process.__file__))  # noqa: PTH100  links as they are
    return hashlib.sha256(repr((ours, identity)).encode()).hexdigest()[:12]


def folder_of(key: str) -> Path:
    """Return the folder of a broker's socket, lock and log; it need not exist."""
    return runtime_dir() / f"broker-{key}"


def join(key: str) -> socket.socket:
    """Return a connection to the broker of a key; start it if there is none.

    It is there before its process is: the socket listens as soon as it exists.

    Raises:
        OSError: It cannot be started.
        EngineError: There is no folder for its socket, or its lock is held for too long.
    """
    if not sys.executable:
        raise OSError("this program does not say where its Python interpreter is (sys.executable)")
    folder = folder_of(key)
    address = folder / "socket"
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):  # its predecessor has just removed the folder: again
            if (running := _connected(address)) is not None:
                return running
            private_folder(folder)
            with locked(folder / "lock", timeout=_LOCK_TIMEOUT):
                if (running := _connected(address)) is not None:
                    return running
                address.unlink(missing_ok=True)
                _start(folder, address)
                if (started := _connected(address)) is not None:
                    return started
    raise ConnectionError(f"no process listens at {address} though it was started")


def remove_stale() -> None:
    """Remove the folders of brokers that were killed."""
    for folder in runtime_dir().glob("broker-*"):
        with suppress(OSError, EngineTimeout), locked(folder / "lock", timeout=0):
            running = _connected(folder / "socket")
            if running is not None:
                running.close()
                continue
            for name in _FILES:
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()


def _connected(address: Path) -> socket.socket | None:
    peer = socket.socket(socket.AF_UNIX)
    try:
        peer.connect(os.fspath(address))
    except (FileNotFoundError, ConnectionRefusedError):
        peer.close()
        return None
    except BaseException:
        peer.close()
        raise
    return peer


def _start(folder: Path, address: Path) -> None:
    script = os.path.abspath(process.__file__)  # noqa: PTH100
    command = [sys.executable, "-I", "-S", script, str(folder), *_import_path(script)]
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(address))
        listener.listen(_BACKLOG)
        errors = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            shell = os.posix_spawn(
                "/bin/sh",
                ["/bin/sh", "-c", _SCRIPT, "podjig", *command],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, listener.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, errors, 1),
                    (os.POSIX_SPAWN_DUP2, errors, 2),
                ],
                setsid=True,
            )
        except BaseException:
            for name in _FILES:
                (folder / name).unlink(missing_ok=True)
            folder.rmdir()
            raise
        finally:
            os.close(errors)
    with suppress(ChildProcessError):  # this program has children reaped in its own way, and the shell was
        os.waitpid(shell, 0)


def _import_path(script: str) -> list[str]:
    """Where it finds podjig, first, and psycopg."""
    ours = os.path.dirname(script)  # noqa: PTH120
    for _ in ("broker", "postgres", "isolation", "podjig"):
        ours = os.path.dirname(ours)  # noqa: PTH120
    return list(dict.fromkeys([ours, *(os.path.abspath(entry) for entry in sys.path if entry)]))  # noqa: PTH100
