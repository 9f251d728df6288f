"""The Podman engine: the libpod API over a unix socket, TCP or ssh."""

from podjig.engine.podman.engine import PodmanEngine

__all__ = ["PodmanEngine"]
