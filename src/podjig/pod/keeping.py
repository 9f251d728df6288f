"""Pods that outlive their session on purpose: kept as one, with all that they cannot do without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from podjig.cleanup.labels import Kind
from podjig.cleanup.session import Keep, Session
from podjig.container import GenericContainer
from podjig.pod.place import Place


def wanted(containers: Iterable[GenericContainer]) -> Keep | None:
    """Return how long the pod of these is to be kept by their definitions: as the one that is kept the longest."""
    keeps = [container._keep for container in containers if container._keep is not None]  # noqa: SLF001  a pod asks them
    return max(keeps, key=lambda keep: keep.duration, default=None)


def keep_pod(session: Session, place: Place, containers: Sequence[GenericContainer], keep: Keep) -> None:
    """Keep a started pod.

    Args:
        session: The session that made it.
        place: Where it runs.
        containers: Its containers.
        keep: How long from now, and why.

    Raises:
        EngineUnavailable: That cannot be written down.
    """
    uses = [*place.uses, *(used for container in containers for used in needs(container))]
    session.keep(place.kind, place.id, keep, uses=uses)


def let_go(session: Session, place: Place) -> None:
    """Leave to the session's end what was kept for a pod that is removed after all."""
    for kind, name in place.uses:
        session.folders.kept.forget(name)
        session.opened(kind, name)


def needs(container: GenericContainer) -> list[tuple[Kind, str]]:
    """Return what is kept with a container of a kept pod, itself included."""
    if not container.started:
        return []
    spec = container.spec()
    volumes: list[tuple[Kind, str]] = [("volume", mount.source) for mount in spec.mounts if mount.kind == "volume"]
    return [("container", container.id), ("image", spec.image), *volumes]
