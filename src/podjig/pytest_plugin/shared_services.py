"""One container for several processes, as a worker of pytest-xdist comes by it: made here, or made by another."""

from __future__ import annotations

import json
import socket
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

from podjig.cleanup.membership import Membership, join
from podjig.cleanup.reuse import Claim
from podjig.errors import ConfigError
from podjig.pytest_plugin.line import Line, error_of, path_of, told

if TYPE_CHECKING:
    from podjig.container import GenericContainer
    from podjig.pytest_plugin.services import ServiceFixture, Wanted
    from podjig.pytest_plugin.start import Start

_CONNECT_WITHIN = 10.0
"""Seconds the controller may take to accept a connection."""


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
                raise error_of(answer)
            elif "reused" in answer:
                container.join(answer["reused"])
            else:
                self._attach(container, answer["made"], Membership(**answer["membership"]))
        if start.wanted.service.partition and container.can_partition:
            container.partition(self._worker)
        return container

    def _make(self, container: GenericContainer, line: Line, start: Start) -> GenericContainer:
        """Make it in the controller's session, tell the controller how that went, and attach to it."""
        __tracebackhide__ = True
        memberships: list[Membership] = []

        def ask() -> Membership:
            answer = line.ask({"join": True})
            if "failed" in answer:
                raise error_of(answer)
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
                    line.send({"failed": told(error)})
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

    def _connected(self) -> Line:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_CONNECT_WITHIN)
        try:
            connection.connect(path_of(self._address))
        except OSError as error:
            connection.close()
            raise ConfigError(
                f"worker {self._worker} of pytest-xdist cannot ask its controller for shared containers: {error}",
                hint="--podjig-xdist=worker starts a container for each worker, also for those on another machine",
            ) from None
        connection.settimeout(None)  # it takes as long as the maker does; the end of either ends the connection
        return Line(connection)


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
            connection.connect(path_of(address))
            connection.sendall(json.dumps({"say": text}).encode() + b"\n")
        except OSError:
            pass  # a line of progress less


def _key(wanted: Wanted, container: GenericContainer) -> str:
    """Return what tells a shared container from others: its fixture, its parameter and its whole definition."""
    return f"{wanted.service.site} {wanted.label} {wanted.index} {container.reuse_key()}"
