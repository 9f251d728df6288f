"""Networks of containers, and what may be done to them on purpose."""

from podjig.network.network import Network

__all__ = ["Network"]
