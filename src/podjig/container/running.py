"""What is known of a started container."""

from __future__ import annotations

import builtins
import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from podjig import config
from podjig.container.definition import ContainerDefinition
from podjig.container.placement import Placement
from podjig.container.relay import Relays
from podjig.engine.discovery import current_engine
from podjig.engine.protocol import Engine
from podjig.engine.values import ContainerInfo, PublishedPort
from podjig.errors import NotStartedError, PortError
from podjig.network.fault import Fault
from podjig.spec import LOOPBACK, Port

if TYPE_CHECKING:
    from typing_extensions import Self

    from podjig.cleanup.reuse import Claim
    from podjig.cleanup.session import Session


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where the ports of a container are published, where that is known without asking its engine."""

    host: str
    ports: Mapping[str, int]


NONE_YET: dict[str, Any] = {
    "_engine": None,
    "_session": None,
    "_id": None,
    "_begun": None,
    "_configured": False,
    "_info": None,
    "_place": None,
    "_relays": None,
    "_frozen": None,
    "_restarted_at": None,
    "_borrowed": False,
    "_part": None,
    "_found": None,
    "_claim": None,
    "_reuse_key": None,
}
"""Attributes that say what was started, as they are where nothing is; a clone has none of it."""


class Running(ContainerDefinition):
    """A definition, and what was started of it."""

    _engine: Engine | None
    _session: Session | None
    _id: str | None
    _begun: object | None
    _configured: bool
    _info: ContainerInfo | None
    _place: Placement | None
    _relays: Relays | None
    _frozen: Fault | None
    _restarted_at: float | None
    _borrowed: bool
    _part: str | None
    _found: Found | None
    _claim: Claim | None
    _reuse_key: str | None

    def __init__(self, image: str, engine: Engine | None) -> None:
        super().__init__(image)
        self._chosen_engine = engine
        self._pid = 0
        self.__dict__.update(NONE_YET)

    @property
    def engine(self) -> Engine:
        """The engine that runs it.

        Raises:
            NotStartedError: It is not started.
        """
        if self._id is None:
            raise NotStartedError(f"{self.description} is not started", hint="call start(), or use it in a with block")
        if self._engine is None:
            self._engine = self._chosen_engine or current_engine()  # adopted without it
        return self._engine

    @property
    def id(self) -> str:
        """Its full id.

        Raises:
            NotStartedError: It is not started.
        """
        if self._id is None:
            raise NotStartedError(f"{self.description} is not started", hint="call start(), or use it in a with block")
        return self._id

    @property
    def name(self) -> str | None:
        """The name it was given; ``None`` where the engine chooses one."""
        return self._name

    @property
    def network_aliases(self) -> tuple[str, ...]:
        """The names under which other members of its networks or pod find it."""
        return tuple(self._network_aliases)

    @property
    def host_ports(self) -> Mapping[int, int]:
        """The servers of this machine that it reaches: port inside -> port of this machine."""
        return dict(self._host_ports)

    @property
    def restarted_at(self) -> float | None:
        """When :meth:`restart` last started it, in seconds since the epoch; ``None`` if it never did."""
        return self._restarted_at

    @property
    def started(self) -> bool:
        """Whether it was started and not stopped. Says nothing about its process; see :attr:`status`."""
        return self._id is not None

    @property
    def borrowed(self) -> bool:
        """Whether somebody else made it, and removes it: it was attached to."""
        return self._borrowed

    @property
    def description(self) -> str:
        """Its image, and its name, its first alias or the beginning of its id, for messages."""
        which = next(iter([*filter(None, [self._name]), *self._network_aliases]), self._id[:12] if self._id else "")
        return f"container {which} ({self.image})" if which else f"the container of {self.image}"

    def inspect(self) -> ContainerInfo:
        """Return what the engine knows of it, fresh."""
        self._info = self.engine.inspect_container(self.id)
        return self._info

    @property
    def status(self) -> str:
        """``"not_started"``, or what the engine calls its state: ``"running"``, ``"exited"``, ..."""
        return "not_started" if self._id is None else self.inspect().state.status

    def get_container_host_ip(self) -> str:
        """Return the host on which tests reach its published ports: ``"localhost"`` for an engine on this machine."""
        return self._found.host if self._found else config.current()[config.HOST] or self.engine.info.host

    def get_exposed_port(self, port: int | str) -> int:
        """Return the host's port that publishes the container's ``port`` (``5432``, ``"5353/udp"``).

        Raises:
            NotStartedError: It is not started.
            PortError: The port is malformed or not published.
        """
        wanted = Port.parse(port)
        if self._found is not None and wanted.key in self._found.ports:
            return self._found.ports[wanted.key]
        ports = self._published()
        published = ports.get(wanted.key)
        if not published:
            known = ", ".join(sorted(key for key, where in ports.items() if where)) or "none"
            raise PortError(
                f"port {wanted} of {self.description} is not published (published: {known})",
                hint=self._how_to_publish(wanted),
            )
        return published[0].host

    def _how_to_publish(self, port: Port) -> str:
        if self._place is not None and self._place.published().get(port.key):
            return "that port is another member's: ask that one"
        if any(port.key == own.key for own in self._all_ports()):
            return f"network mode {self._fields.get('network_mode')!r} publishes none: use another"
        return f"add with_exposed_ports({port.container if port.protocol == 'tcp' else port.key!r}) before it starts"

    def _published(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        """Return where the host publishes its ports."""
        own = {port.key: port.container for port in self._all_ports()}
        if self._place is not None:
            return {key: where for key, where in self._place.published().items() if key in own}
        if self._fields.get("network_mode") == "host":  # its programs listen on the host's own
            return {key: (PublishedPort(host_ip=LOOPBACK, host=port),) for key, port in own.items()}
        return (self._info or self.inspect()).ports

    def _spoil(self, what: str) -> None:
        """Before something is done to it that nobody can undo: no later run is to take it up again."""
        if self._reuse_key is not None and self._id is not None:
            from podjig.cleanup import reuse

            reuse.spoil(self._reuse_key, self._id, what)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = type(self).__new__(type(self))
        memo[builtins.id(self)] = twin
        twin.__dict__.update(self.__dict__)
        twin.__dict__.update(NONE_YET)
        for key in self.__dict__.keys() - {"_chosen_engine", *NONE_YET}:
            twin.__dict__[key] = copy.deepcopy(self.__dict__[key], memo)
        return twin

    def __repr__(self) -> str:
        state = f"started {self._id[:12]}" if self._id else "not started"
        return f"<{type(self).__name__} {self.image} {state}>"
