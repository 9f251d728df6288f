"""The members of a pod in the namespaces of a container that does nothing, where the engine has no pods."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from podjig.cleanup.labels import POD, Kind
from podjig.cleanup.session import Session
from podjig.engine.protocol import Engine
from podjig.engine.values import PublishedPort
from podjig.errors import CapabilityMissing, EngineRequestError
from podjig.pod.pause import pause_image
from podjig.pod.place import Place
from podjig.spec import ContainerSpec, Limits, PodSpec
from podjig.spec.namespace import Namespace

_AGAIN_AFTER = (0.05, 0.1, 0.2, 0.5)
"""Seconds until it is tried again to remove a holder that still has members."""


class Holder(Place):
    """A container that does nothing but hold the namespaces, for engines without pods."""

    kind: ClassVar[Kind] = "container"

    def __init__(self, engine: Engine, spec: PodSpec, session: Session | None) -> None:
        """Make and start it.

        Raises:
            CapabilityMissing: What only a native pod can do is asked for.
        """
        asked = {"userns": spec.userns, "limits": spec.limits if spec.limits != Limits() else None}
        for what, value in asked.items():
            if value is not None:
                raise CapabilityMissing(
                    f"the engine {engine.info.name} has no pods, so one cannot have {what} of its own",
                    hint="leave it out, or give it to the members",
                )
        holder = ContainerSpec(
            image=pause_image(engine, session),
            name=spec.name,
            hostname=spec.hostname or spec.name,
            ports=spec.ports,
            labels=spec.labels,
            extra_hosts=spec.extra_hosts,
            networks=spec.networks,
            network_mode=spec.network_mode,
            namespaces={"ipc": "shareable"} if "ipc" in spec.share else {},
            engine_options=spec.engine_options,
        )
        if session is not None:
            holder = session.own(holder)

        def create() -> str:
            return engine.create_container(holder)

        made = create() if session is None else session.in_room("container", spec.name, create)
        super().__init__(engine, made, spec, image=holder.image)
        try:
            engine.start_container(self.id)
        except BaseException:
            engine.remove_container(self.id)
            raise

    def place(self, spec: ContainerSpec) -> ContainerSpec:
        join = f"container:{self.id}"
        namespaces: dict[Namespace, str] = {name: join for name in self._spec.share if name != "net"}
        return replace(
            self._shared(spec),
            network_mode=self._spec.network_mode if self._spec.network_mode == "host" else join,
            namespaces={**namespaces, **spec.namespaces},
            labels={**spec.labels, POD: self.id},
        )

    def remove(self, members: Sequence[str]) -> None:
        self.end(members)
        # Engines refuse to remove a container in whose namespaces others run. There may be some of which nobody here
        # knows the id: a creation that was under way.
        for wait in (*_AGAIN_AFTER, None):
            self.end(self._members())
            try:
                self.engine.remove_container(self.id)
            except EngineRequestError:
                if wait is None:
                    raise
                time.sleep(wait)
            else:
                return

    def _members(self) -> Sequence[str]:
        return [found.id for found in self.engine.list_containers(labels={POD: self.id})]

    def _look(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        return self.engine.inspect_container(self.id).ports
