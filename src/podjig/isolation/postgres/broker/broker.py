"""What the broker decides: who gets what, what is made and dropped next, and when it ends."""

from __future__ import annotations

import math
import os
import selectors
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from podjig.engine.file_lock import locked
from podjig.isolation.postgres.broker.clients import Client, Template, Used
from podjig.isolation.postgres.broker.hands import HANDS, Hands, Job, Outcome
from podjig.isolation.postgres.broker.log import Log
from podjig.isolation.postgres.broker.messages import Conversation, Message
from podjig.isolation.postgres.broker.orphans import pool_name
from podjig.isolation.postgres.names import process_token

LINGER = 1.0
"""Seconds to stay after the last client has gone: runs often follow each other, as do forked tests."""

ENDING = 20.0
"""Seconds that the end may take, whatever the server does."""

BACKLOG = 8
"""So many used databases may wait while others are made."""

MOST = 64
"""So many databases may be there before none is made in advance."""

MOST_BYTES = 1 << 30
"""... or so many bytes of them: mostly they are on tmpfs, which is memory."""

RETRY = 1.0
"""Seconds after which a template that could not be cloned is tried again though no test waits."""

_LET_PASS = 0.005
"""Seconds after which what a test gave back is dropped: the processors are the next test's while it gets going."""

_LOOK_AGAIN = 0.01
"""Seconds after which a database with connections that may be closing is looked at again."""


class Broker:
    """Serves the test processes that connect to a socket, until none is left."""

    def __init__(self, listener: socket.socket, folder: Path) -> None:
        """Take over a listening socket, and the folder where it is."""
        listener.setblocking(False)
        self._listener = listener
        self._folder = folder
        self._log = Log(folder / "log")
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        ear, self._bell = socket.socketpair()
        ear.setblocking(False)
        self._bell.setblocking(False)
        self._selector.register(ear, selectors.EVENT_READ, lambda: self._woken(ear))
        self._hands: Hands | None = None
        self._clients: list[Client] = []
        self._templates: dict[str, Template] = {}
        self._used: list[Used] = []
        self._dropping = 0
        self._swept = False
        self._server_gone = False
        self._lonely_since = time.monotonic()
        self._ending_since: float | None = None

    def run(self) -> None:
        """Work until nobody needs it any more."""
        while not self._at_end():
            self._hand_out()
            self._give_work()
            for key, _ in self._selector.select(self._until_next()):
                key.data()

    def _at_end(self) -> bool:
        """Whether all is done; stops listening when nobody has been there for a while."""
        now = time.monotonic()
        if self._clients and not self._server_gone:
            return False
        if self._ending_since is None:
            lonely = now - self._lonely_since >= LINGER or self._server_gone
            if lonely and self._stop_listening():
                self._ending_since = now
                for template in self._templates.values():
                    self._take_back(template.ready, None)
                    template.ready.clear()
                self._swept = False
            return False
        if self._server_gone or now - self._ending_since > ENDING:
            return True
        making = any(template.making for template in self._templates.values())
        idle = self._hands is None or self._hands.idle == HANDS
        return idle and not making and not self._used and (self._swept or self._hands is None)

    def _stop_listening(self) -> bool:
        """Make room for a successor, unless somebody has just come."""
        with locked(self._folder / "lock", timeout=ENDING):
            if not self._server_gone:
                self._accept()
                if self._clients:
                    return False
            self._selector.unregister(self._listener)
            (self._folder / "socket").unlink(missing_ok=True)
            self._listener.close()
        return True

    def put_away(self) -> None:
        """End the threads, and remove the folder unless a successor uses it."""
        if self._hands is not None and not self._server_gone:
            self._hands.dismiss(1.0)
        self._log.close()
        with suppress(FileNotFoundError), locked(self._folder / "lock", timeout=ENDING):
            if not (self._folder / "socket").exists():
                for name in ("log", "lock"):
                    (self._folder / name).unlink(missing_ok=True)
                self._folder.rmdir()

    def _until_next(self) -> float | None:
        """Return the seconds until something is to be done though nobody says anything."""
        now = time.monotonic()
        times = [used.due for used in self._used if now < used.due < math.inf]
        times += [template.retry_at for template in self._templates.values() if template.retry_at > now]
        if self._ending_since is not None:
            times.append(self._ending_since + ENDING)
        elif not self._clients:
            times.append(self._lonely_since + LINGER)
        return max(0.0, min(times) - now) if times else None

    # The clients

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except BlockingIOError:
                return
            client = Client(conversation=Conversation(peer))
            self._clients.append(client)
            self._selector.register(peer, selectors.EVENT_READ, lambda client=client: self._hear(client))

    def _hear(self, client: Client) -> None:
        try:
            for message in client.conversation.hear():
                self._obey(client, message)
        except (ConnectionError, KeyError, ValueError) as error:
            if not isinstance(error, ConnectionError):
                self._log.write(f"a client said something strange: {error!r}")
            self._forget(client)

    def _forget(self, client: Client) -> None:
        """Take back all that a client had: it has gone."""
        if client not in self._clients:
            return
        self._clients.remove(client)
        self._selector.unregister(client.conversation.socket)
        client.conversation.close()
        self._take_back(client.held, None)
        for used in self._used:
            used.client = None if used.client is client else used.client
        self._lonely_since = time.monotonic()

    def _tell(self, client: Client, what: str, **details: object) -> bool:
        try:
            client.conversation.say(what, **details)
        except ConnectionError:
            self._forget(client)
            return False
        return True

    def _obey(self, client: Client, message: Message) -> None:
        """Do what a client says; see ``messages.py``."""
        match message["say"]:
            case "hello":
                client.template = message["template"]
                self._templates.setdefault(client.template, Template(name=client.template))
                if self._hands is None:
                    self._hands = Hands(message["server"], count=HANDS, wake=self._wake)
                self._tell(client, "hello", token=process_token(), pid=os.getpid())
            case "take":
                client.wanted += message["count"]
            case "hurry":
                client.hurry = True
            case "mine":
                client.held.update(message["names"])
            case "give":
                client.held.discard(message["name"])
                self._take_back([message["name"]], client, message["requester"])
            case "kept":
                client.held.discard(message["name"])
            case "flush":
                client.flushing = True

    def _take_back(self, names: Any, client: Client | None, requester: str = "") -> None:
        now = time.monotonic()
        due = now + _LET_PASS if client else now
        for name in names:
            self._used.append(Used(name=name, requester=requester, client=client, returned=now, due=due))

    # What is given out

    def _hand_out(self) -> None:
        # Who waits comes first; then who has least.
        for client in sorted(self._clients, key=lambda client: (not client.hurry, len(client.held))):
            template = self._templates.get(client.template)
            while template and template.ready and client.wanted and client in self._clients:
                name = template.ready.popleft()
                client.wanted -= 1
                client.hurry = False
                client.held.add(name)
                self._tell(client, "database", name=name)
            if client.flushing and not any(used.client is client for used in self._used):
                client.flushing = False
                self._tell(client, "flushed")

    # What is done

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # the bell rings already
            self._bell.send(b"x")

    def _woken(self, ear: socket.socket) -> None:
        with suppress(BlockingIOError):
            ear.recv(4096)
        for outcome in self._hands.outcomes() if self._hands else []:
            self._settle(outcome)

    def _settle(self, outcome: Outcome) -> None:
        """Note how a job went."""
        job = outcome.job
        self._server_gone = self._server_gone or outcome.gone
        if outcome.error:
            self._log.write(str(outcome.error))
        if job.kind == "clone":
            self._settle_clone(self._templates[job.template], outcome)
        elif job.kind == "drop":
            self._dropping -= 1
            used = next(used for used in self._used if used.name == job.name)
            if outcome.busy:
                used.due = time.monotonic() + _LOOK_AGAIN
                return
            self._used.remove(used)
            left = [str(outcome.error.message)] if outcome.error else outcome.left
            for what in left:
                if used.client and not outcome.gone:
                    self._tell(used.client, "left", requester=used.requester, found=what)

    def _settle_clone(self, template: Template, outcome: Outcome) -> None:
        template.making -= 1
        if outcome.error is None:
            template.size, template.retry_at = outcome.size, 0.0
            if self._ending_since is None:
                template.ready.append(outcome.job.name)
            else:
                self._take_back([outcome.job.name], None)
        elif not (outcome.full and self._used):  # else there will be room as soon as these are dropped
            template.retry_at = time.monotonic() + RETRY
            waiting = [each for each in self._clients if each.hurry and each.template == template.name]
            for client in waiting:
                client.hurry = False
                client.wanted -= 1
                self._tell(client, "failed", message=outcome.error.message, hint=outcome.error.hint)

    def _give_work(self) -> None:
        while self._hands and self._may_begin(self._hands) and (job := self._next_job()):
            if job.kind == "clone":
                self._templates[job.template].making += 1
            elif job.kind == "drop":
                self._dropping += 1
            self._hands.do(job)

    def _may_begin(self, hands: Hands) -> bool:
        """Whether something is to be begun now. Where no test waits, a processor is left to those that run."""
        return hands.idle == HANDS or bool(hands.idle and (self._ending_since is not None or self._pressing()))

    def _pressing(self) -> bool:
        """Whether more is asked for than is there."""
        return any(
            client.wanted > 0 and not self._templates[client.template].ready
            for client in self._clients
            if client.template in self._templates
        )

    def _next_job(self) -> Job | None:
        """Choose: what a test waits for, then what was asked for in advance, then drops, then a stock."""
        now = time.monotonic()
        due = next((used for used in self._used if used.due <= now), None)
        drop = None
        if due and len(self._used) > BACKLOG:
            drop = due
        making = None if drop or self._ending_since is not None else self._to_make(now, stock=False)
        if not making:
            drop = due
        if drop:
            drop.due = math.inf  # until it is settled
            return Job(kind="drop", name=drop.name, returned=drop.returned)
        if not making and self._ending_since is None:
            making = self._to_make(now, stock=True)
        if making:
            return Job(kind="clone", name=pool_name(), template=making.name)
        if not self._swept and self._hands and self._hands.idle == HANDS:
            self._swept = True
            return Job(kind="sweep")
        return None

    def _to_make(self, now: float, *, stock: bool) -> Template | None:
        """Return the template of which a clone is to be made next."""
        there = len(self._used) + sum(len(client.held) for client in self._clients)
        there += sum(len(template.ready) + template.making for template in self._templates.values())
        for template in self._templates.values():
            clients = [client for client in self._clients if client.template == template.name]
            waiting = sum(client.hurry for client in clients)
            coming = len(template.ready) + template.making
            if waiting > coming:
                return template
            if template.retry_at > now or there >= MOST or there * template.size > MOST_BYTES:
                continue
            wanted = sum(client.wanted for client in clients) + (len(clients) + 1 if stock and clients else 0)
            if coming < wanted:
                return template
        return None
