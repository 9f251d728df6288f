"""The Podman engine, composed of its groups of verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from podjig.engine.podman.archives import ArchiveVerbs
from podjig.engine.podman.exec import ExecVerbs
from podjig.engine.podman.host import HostFacts
from podjig.engine.podman.hosts import MemberNames
from podjig.engine.podman.images import ImageVerbs
from podjig.engine.podman.logs import LogVerbs
from podjig.engine.podman.networks import NetworkVerbs
from podjig.engine.podman.pods import PodVerbs
from podjig.engine.podman.transport import Transport
from podjig.engine.podman.verbs import QUICK
from podjig.engine.podman.volumes import VolumeVerbs
from podjig.engine.values import Capabilities, EngineInfo


class PodmanEngine(ExecVerbs, LogVerbs, ArchiveVerbs, ImageVerbs, VolumeVerbs, NetworkVerbs, PodVerbs):
    """Podman over its native API; see :class:`podjig.engine.protocol.Engine` for the verbs.

    Nothing is connected until the first call.

    Args:
        address: ``unix:///path``, ``tcp://host:port`` or ``ssh://[user@]host[:port]/path``.
        origin: How it was found, in a few words.
        revive: Starts the service again when nobody listens at ``address``; raises podjig errors.
    """

    def __init__(self, address: str, *, origin: str, revive: Callable[[], None] | None = None) -> None:
        self._address = address
        self._origin = origin
        self._local = urlsplit(address).scheme == "unix"
        self._transport = Transport(address, revive=revive)
        self._facts = HostFacts(address, self._transport)
        self._names = MemberNames(lambda network: self.inspect_network(network).dns, self.inspect_container)
        self._info: EngineInfo | None = None
        self._capabilities: Capabilities | None = None

    def __repr__(self) -> str:
        return f"PodmanEngine({self._address!r}, origin={self._origin!r})"

    @property
    def info(self) -> EngineInfo:
        """Which engine this is. The version is asked for once, by a ping (``/version`` and ``/info`` cost 0.5 s)."""
        if self._info is None:
            self._info = EngineInfo(
                name="podman",
                version=self._ping(),
                address=self._address,
                origin=self._origin,
                rootless=self._facts.rootless(),
                local=self._local,
                host="localhost" if self._local else urlsplit(self._address).hostname or "localhost",
            )
        return self._info

    @property
    def capabilities(self) -> Capabilities:
        """What it can do on this host."""
        if self._capabilities is None:
            controlled = self._facts.controls_cgroups()
            self._capabilities = Capabilities(
                pods=True,
                infra=self._facts.has_pause_program(),
                server_side_lifetime=True,
                health_on_demand=True,
                image_volumes=True,
                pause=controlled,
                limits=controlled,
                outlives_client=True,
            )
        return self._capabilities

    def ping(self) -> None:
        self._ping()

    def close(self) -> None:
        self._transport.close()

    def native_client(self) -> Any:
        """Return a ``podman.PodmanClient`` for the same address."""
        import podman

        return podman.PodmanClient(base_url=self._address)

    def _ping(self) -> str:
        answer = self._transport.call("GET", "_ping", what="ping", deadline=QUICK)
        return answer.headers.get("Libpod-Api-Version", "")
