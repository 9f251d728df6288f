"""How a container comes into being: created, given its files and relays, its program started."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from podjig import config
from podjig.container.addresses import Addresses
from podjig.container.faults import FaultMethods
from podjig.container.files import copy_in
from podjig.container.relay import Relays
from podjig.engine.protocol import Engine
from podjig.errors import ImageNotFound
from podjig.image.store import ensure_image
from podjig.network.bridge import steady_bridge
from podjig.spec import ContainerSpec

if TYPE_CHECKING:
    from podjig.cleanup.session import Session


class CreationMethods(FaultMethods):
    """The steps of a start."""

    def _create(self, engine: Engine, spec: ContainerSpec, session: Session | None) -> str:
        def create() -> str:
            if session is None:
                return engine.create_container(spec)
            owned = session.own(spec, keep=self._keep if self._place is None else None)  # a pod is kept as one
            return session.in_room("container", spec.name, lambda: engine.create_container(owned))

        # The image is mostly there, and asking first costs a quick start a tenth of its time. Where named volumes are
        # made with the container, it is asked for first all the same: they are not to be left over if it is missing.
        policy = self._pull_policy or config.current()[config.PULL]
        if policy in ("missing", "never") and not any(mount.kind == "volume" for mount in spec.mounts):
            try:
                return create()
            except ImageNotFound:
                pass
        ensure_image(engine, spec.image, policy=policy, platform=spec.platform)
        return create()

    def _launch(self) -> None:
        """Start the program of what is created."""
        first = self._restarted_at is None
        if self._place is None and self._host_ports:
            self._relays = Relays(self._host_ports)
        network = self._place or self._relays
        with nullcontext() if self._place is None else self._place.turn(self):
            lacking = network is not None and network.lacking
            if network is not None and lacking and first:
                self.engine.init_container(self.id)  # what the program looks for at its start is to be there
                network.set_up(self.engine, self.id)
            self.engine.start_container(self.id)
        if network is not None and lacking and not first:
            # Not prepared: the engine still clears up after the run before, and would end what waits for its start.
            network.set_up(self.engine, self.id)
        for name in self._networks if self._place is None else ():
            steady_bridge(self.engine, name)

    def _close_relays(self) -> None:
        relays, self._relays = self._relays, None
        if relays is not None:
            relays.close()

    def _write_addresses(self) -> None:
        if not self._address_files:
            return
        found = Addresses(
            host=self.get_container_host_ip(),
            name=self._found_as(),
            ports={key: where[0].host for key, where in self._published().items() if where},
        )
        for render, destination, mode in self._address_files:
            content = render(found)
            copy_in(self.engine, self.id, content.encode() if isinstance(content, str) else content, destination, mode)

    def _found_as(self) -> str:
        """The name under which the others of its pod or networks find it."""
        if self._place is not None:
            return self._place.name_of(self)
        if not self._networks:
            return "localhost"
        return next(iter(self._network_aliases), None) or self._name or self.id[:12]  # as engines name it by themselves
