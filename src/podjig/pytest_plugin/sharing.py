"""One container for several processes, as the controller of pytest-xdist sees to it.

It listens on a Unix socket; its workers ask for what they need: see ``shared_services``. The first to ask is told to
make it, in the controller's session, so that it outlives its maker; the others wait until it is there, has failed, or
its maker has died: then the next of them makes it.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import threading
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field

from podjig.cleanup import reuse
from podjig.cleanup.reuse import Claim
from podjig.errors import EngineUnavailable, PodjigError
from podjig.pytest_plugin.line import Line, Message, is_ours, path_of, told


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
        self._listener.bind(path_of(name))
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
            if is_ours(connection):
                threading.Thread(target=self._serve, args=(Line(connection),), daemon=True).start()
            else:
                connection.close()

    def _serve(self, line: Line) -> None:
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

    def _have_made(self, entry: _Entry, worker: str, line: Line) -> None:
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

    def _made_by(self, line: Line) -> Message:
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
            return {"failed": told(error), "worker": "the controller"}
        stack.enter_context(session.making())
        return {"membership": asdict(session.lend())}


class _MakerDied(Exception):
    pass
