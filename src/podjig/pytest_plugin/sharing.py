"""One container for several processes: who makes it, who attaches to it, and what becomes of those who wait.

The controller of pytest-xdist listens on a Unix socket; its workers ask for what they need. The first to ask is told
to make it, in the controller's session, so that it outlives its maker; the others wait until it is there, has failed,
or its maker has died: then the next of them makes it. Messages are lines of JSON.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import struct
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podjig import errors
from podjig.errors import ConfigError, EngineUnavailable, PodjigError

if TYPE_CHECKING:
    from podjig.container import GenericContainer
    from podjig.pytest_plugin.services import ServiceFixture, Wanted

Message = dict[str, Any]

_CONNECT_WITHIN = 10.0
"""Seconds the controller may take to accept a connection."""


@dataclass
class _Entry:
    """What is known of one shared container: nothing yet, that somebody is making it, or how that went."""

    being_made: bool = False
    outcome: Message = field(default_factory=dict)


class Sharing:
    """The controller's side."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._changed = threading.Condition()
        self._folder = ""
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if sys.platform == "linux":
            # In no folder, so that nothing is left of it however this process ends; who connects is checked.
            name = f"@podjig-{os.urandom(8).hex()}"
        else:
            self._folder = tempfile.mkdtemp(prefix="podjig-")
            name = f"{self._folder}/socket"
        self.address: str = name
        self._listener.bind(_path(name))
        self._listener.listen(128)
        threading.Thread(target=self._accept, name="podjig-sharing", daemon=True).start()

    def close(self) -> None:
        """Accept nobody any more."""
        self._listener.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            if _is_ours(connection):
                threading.Thread(target=self._serve, args=(_Line(connection),), daemon=True).start()
            else:
                connection.close()

    def _serve(self, line: _Line) -> None:
        with line:
            request = line.receive()
            if request is None:
                return
            if "say" in request:
                from podjig.image import progress

                progress.put(request["say"])
                return
            entry = self._entry(request["want"])
            with suppress(OSError):  # whoever asked may be gone
                if entry.outcome:
                    line.send(entry.outcome)
                else:
                    self._have_made(entry, request["worker"], line)

    def _entry(self, key: str) -> _Entry:
        """Return what is known of it as soon as nobody is making it."""
        with self._changed:
            entry = self._entries.setdefault(key, _Entry())
            self._changed.wait_for(lambda: not entry.being_made)
            if not entry.outcome:
                entry.being_made = True
            return entry

    def _have_made(self, entry: _Entry, worker: str, line: _Line) -> None:
        """Have it made by the worker at the other end."""
        outcome: Message = {}
        try:
            outcome = self._made_by(worker, line)
        except PodjigError as error:
            outcome = {"failed": _told(error), "worker": "the controller"}
            line.send(outcome)
        except _MakerDied:
            pass
        finally:
            with self._changed:
                entry.outcome, entry.being_made = outcome, False
                self._changed.notify_all()

    def _made_by(self, worker: str, line: _Line) -> Message:
        from podjig.cleanup.session import session_of
        from podjig.engine.discovery import current_engine

        session = session_of(current_engine())
        if session is None:
            line.send({"alone": True})
            return {"alone": True}
        with session.making():
            answer = None
            try:
                line.send({"make": asdict(session.lend())})
                answer = line.receive()
            except OSError:
                pass
            if answer is None:
                # What it had asked for, the engine may still make: no PodjigError, so the session looks for it.
                raise _MakerDied
        return {**answer, "worker": worker}


class _MakerDied(Exception):
    pass


class SharedServices:
    """A worker's side.

    Args:
        address: Where the controller listens.
        worker: This worker's name.
    """

    def __init__(self, address: str, worker: str) -> None:
        self._address = address
        self._worker = worker

    def obtain(
        self, wanted: Wanted, container: GenericContainer, making: Callable[[GenericContainer], None]
    ) -> GenericContainer:
        """Return ``container`` attached to the one that all workers share, made here if this is the first to ask.

        Args:
            wanted: For which fixture.
            container: Its definition.
            making: Told which one is being made here, if so.

        Raises:
            PodjigError: It could not be started, here or where it was tried.
        """
        __tracebackhide__ = True
        with self._connected() as line:
            line.send({"want": _key(wanted, container), "worker": self._worker})
            answer = line.receive()
            if answer is None:
                raise EngineUnavailable("the controller of pytest-xdist has ended")
            if "alone" in answer:
                making(container)
                return container.start()
            membership = answer.get("make")
            if membership is not None:
                answer = self._make(container.clone(), membership, line, making)
        if "failed" in answer:
            raise _error(answer)
        return self._attached(wanted.service, container, answer)

    def _make(
        self,
        container: GenericContainer,
        membership: Message,
        line: _Line,
        making: Callable[[GenericContainer], None],
    ) -> Message:
        __tracebackhide__ = True
        from podjig.cleanup.membership import Membership, join

        making(container)
        try:
            with join(Membership(**membership)):
                container.start()
        except Exception as error:
            line.send({"failed": _told(error)})
            raise
        answer = {"made": container.id, "membership": membership}
        line.send(answer)
        return answer

    def _attached(self, service: ServiceFixture, container: GenericContainer, answer: Message) -> GenericContainer:
        from podjig.cleanup.joined import JoinedSession
        from podjig.cleanup.membership import Membership
        from podjig.engine.discovery import current_engine

        engine = current_engine()
        session = JoinedSession(engine, Membership(**answer["membership"]))
        container.attach(answer["made"], engine=engine)
        container._session = session  # noqa: SLF001  so that it can be kept
        if service.partition and getattr(container, "can_partition", False):
            container.partition(self._worker)
        return container

    def _connected(self) -> _Line:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_CONNECT_WITHIN)
        try:
            connection.connect(_path(self._address))
        except OSError as error:
            connection.close()
            raise ConfigError(
                f"worker {self._worker} of pytest-xdist cannot ask its controller for shared containers: {error}",
                hint="--podjig-xdist=worker starts a container for each worker, also for those on another machine",
            ) from None
        connection.settimeout(None)  # it takes as long as the maker does; the end of either ends the connection
        return _Line(connection)


def can_share(container: GenericContainer, service: ServiceFixture) -> bool:
    """Whether several processes may use a container like this one."""
    if container._host_ports or container._networks or container._chosen_engine is not None:  # noqa: SLF001
        # Relays to this machine's ports, and networks, end with the process that has opened them.
        return False
    return bool(service.shared or getattr(container, "can_partition", False))


def say(address: str, text: str) -> None:
    """Have the controller write a line."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.settimeout(1)
            connection.connect(_path(address))
            connection.sendall(json.dumps({"say": text}).encode() + b"\n")
        except OSError:
            pass  # a line of progress less


class _Line:
    """One connection, and messages over it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._connection.close()

    def send(self, message: Message) -> None:
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> Message | None:
        """Return the next message; ``None`` if the other side has gone."""
        try:
            raw = self._file.readline()
        except ConnectionError:
            return None
        if not raw.endswith(b"\n"):
            return None
        message: Message = json.loads(raw)
        return message


def _path(address: str) -> str:
    return f"\0{address[1:]}" if address.startswith("@") else address


def _is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end is of this user. A socket in a private folder need not ask."""
    if sys.platform != "linux":
        return True
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", raw)[1] == os.getuid())


def _key(wanted: Wanted, container: GenericContainer) -> str:
    """Return what tells a shared container from others: its fixture, its parameter and its whole definition."""
    copies = [
        (target, mode, hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else str(Path(source)))
        for source, target, mode in container._copies  # noqa: SLF001
    ]
    kind = type(container)
    whole = repr((kind.__module__, kind.__qualname__, asdict(container.spec()), copies))
    return f"{wanted.service.site} {wanted.label} {wanted.index} {hashlib.sha256(whole.encode()).hexdigest()}"


def _told(error: BaseException) -> Message:
    if isinstance(error, PodjigError):
        return {"type": type(error).__name__, "message": error.message, "hint": error.hint, "logs": error.logs}
    return {"type": "", "message": f"{type(error).__name__}: {error}", "hint": "", "logs": ""}


def _error(answer: Message) -> PodjigError:
    """Return the error that another worker has met, as if it were met here."""
    told = answer["failed"]
    kind = getattr(errors, told["type"], PodjigError) if told["type"] else PodjigError
    error: PodjigError = kind(f"{told['message']} (told by {answer['worker']})", hint=told["hint"], logs=told["logs"])
    return error
