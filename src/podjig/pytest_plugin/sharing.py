"""One container for several processes: who makes it, who attaches to it, and what becomes of those who wait.

The controller of pytest-xdist listens on a Unix socket; its workers ask for what they need. The first to ask is told
to make it, in the controller's session, so that it outlives its maker; the others wait until it is there, has failed,
or its maker has died: then the next of them makes it. Messages are lines of JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import sys
import tempfile
import threading
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from podjig import errors
from podjig.cleanup import reuse
from podjig.cleanup.membership import Membership, join
from podjig.cleanup.reuse import Claim
from podjig.errors import ConfigError, EngineUnavailable, PodjigError

if TYPE_CHECKING:
    from podjig.container import GenericContainer
    from podjig.pytest_plugin.services import ServiceFixture, Wanted
    from podjig.pytest_plugin.start import Start

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
        self._claims: list[Claim] = []
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
        """Accept nobody any more, and give up what the workers have reused."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # else the thread would go on waiting
        self._listener.close()
        for claim in self._claims:
            claim.release()
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
            outcome = {**self._made_by(line), "worker": worker}
        except _MakerDied:
            pass
        finally:
            with self._changed:
                entry.outcome, entry.being_made = outcome, False
                self._changed.notify_all()

    def _made_by(self, line: _Line) -> Message:
        """Answer a maker until it tells how it went."""
        claims: list[Claim] = []
        with ExitStack() as stack:
            message: Message | None = None
            try:
                line.send({"make": True})
                while (message := line.receive()) is not None:
                    if "join" in message:
                        line.send(self._membership(stack))
                    elif "claim" in message:
                        claimed = reuse.claim(message["claim"])
                        claims += [claimed] if claimed is not None else []
                        line.send({"claimed": claimed is not None})
                    else:
                        break
            except OSError:
                message = None
            if message is None or "failed" in message:
                for claim in claims:
                    claim.release()
            if message is None:
                # What it had asked for, the engine may still make: no PodjigError, so the session looks for it.
                raise _MakerDied
            self._claims += claims
            return message

    def _membership(self, stack: ExitStack) -> Message:
        """Begin this process's session, and lend it until the maker has told how it went."""
        from podjig.cleanup.session import session_of
        from podjig.engine.discovery import current_engine

        try:
            session = session_of(current_engine())
            if session is None:
                raise EngineUnavailable("the controller of pytest-xdist has an engine that ends with it")
        except PodjigError as error:
            return {"failed": _told(error), "worker": "the controller"}
        stack.enter_context(session.making())
        return {"membership": asdict(session.lend())}


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

    def obtain(self, start: Start, container: GenericContainer) -> GenericContainer:
        """Return ``container`` attached to the one that all workers share, made here if this is the first to ask.

        Args:
            start: What asks for it.
            container: Its definition.

        Raises:
            PodjigError: It could not be started, here or where it was tried.
        """
        __tracebackhide__ = True
        with self._connected() as line:
            answer = line.ask({"want": _key(start.wanted, container), "worker": self._worker})
            if "make" in answer:
                container = self._make(container, line, start)
            elif "failed" in answer:
                raise _error(answer)
            elif "reused" in answer:
                container.join(answer["reused"])
            else:
                self._attach(container, answer["made"], Membership(**answer["membership"]))
        if start.wanted.service.partition and container.can_partition:
            container.partition(self._worker)
        return container

    def _make(self, container: GenericContainer, line: _Line, start: Start) -> GenericContainer:
        """Make it in the controller's session, tell the controller how that went, and attach to it."""
        __tracebackhide__ = True
        memberships: list[Membership] = []

        def ask() -> Membership:
            answer = line.ask({"join": True})
            if "failed" in answer:
                raise _error(answer)
            memberships[:] = [Membership(**answer["membership"])]
            return memberships[0]

        def claim(key: str) -> Claim | None:
            return Claim(key) if line.ask({"claim": key})["claimed"] else None

        made = container.clone()
        made._claim_by = claim  # noqa: SLF001  the controller's claim lasts as long as the workers
        start.making(made)
        try:
            with join(ask):
                made.start()
        except Exception as error:
            if not start.is_discarded:  # else the next who asks makes it
                with suppress(OSError):
                    line.send({"failed": _told(error)})
            raise
        key = made._reuse_key  # noqa: SLF001  others join it by that
        if key is not None:
            line.send({"reused": key})
            return made
        line.send({"made": made.id, "membership": asdict(memberships[0])})
        return self._attach(container, made.id, memberships[0])

    def _attach(self, container: GenericContainer, id: str, membership: Membership) -> GenericContainer:
        from podjig.cleanup.joined import JoinedSession
        from podjig.engine.discovery import current_engine

        engine = current_engine()
        session = JoinedSession(engine, membership)
        container.attach(id, engine=engine)
        container._session = session  # noqa: SLF001  so that it can be kept, with what it uses
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
    return service.shared or container.can_partition


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

    def ask(self, message: Message) -> Message:
        """Send a message and return the answer.

        Raises:
            EngineUnavailable: The other side has gone.
        """
        try:
            self.send(message)
            answer = self.receive()
        except OSError:
            answer = None
        if answer is None:
            raise EngineUnavailable("the controller of pytest-xdist has ended")
        return answer

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
    return f"{wanted.service.site} {wanted.label} {wanted.index} {container.reuse_key()}"


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
