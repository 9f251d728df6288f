"""Containers: the fluent builder and the running thing."""

from podjig.container.generic import GenericContainer

__all__ = ["GenericContainer"]
