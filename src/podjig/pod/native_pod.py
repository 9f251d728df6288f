"""The members of a pod in a native pod, where the engine has such."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from podjig.cleanup.labels import Kind
from podjig.cleanup.session import Session
from podjig.engine.protocol import Engine
from podjig.engine.values import PublishedPort
from podjig.pod.pause import pause_image
from podjig.pod.place import Place
from podjig.spec import ContainerSpec, Limits, PodSpec


class NativePod(Place):
    """A pod of the engine's own."""

    kind: ClassVar[Kind] = "pod"

    def __init__(self, engine: Engine, spec: PodSpec, session: Session | None) -> None:
        """Make it; warn of limits that are not in force."""
        if session is not None:
            spec = replace(spec, labels={**spec.labels, **session.labels("pod")})
        if spec.limits != Limits() and not engine.capabilities.limits:
            warnings.warn(
                f"the limits of pod {spec.name or 'without a name'} are not in force: the engine drops them on this "
                "host (no cgroup controllers for users who are not root; cgroup v2 with systemd hands them out)",
                stacklevel=3,
            )
        if not engine.capabilities.infra:
            spec = replace(spec, infra_image=pause_image(engine, session))

        def create() -> str:
            return engine.create_pod(spec)

        made = create() if session is None else session.in_room("pod", spec.name, create)
        super().__init__(engine, made, spec, image=spec.infra_image)

    def place(self, spec: ContainerSpec) -> ContainerSpec:
        return replace(self._shared(spec), pod=self.id)

    def remove(self, members: Sequence[str]) -> None:  # noqa: ARG002  the engine knows them
        self._close()
        self.engine.remove_pod(self.id)

    def _members(self) -> Sequence[str]:
        return self.engine.inspect_pod(self.id).containers

    def _look(self) -> Mapping[str, tuple[PublishedPort, ...]]:
        return self.engine.inspect_pod(self.id).ports
