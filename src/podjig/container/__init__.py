"""Containers: the fluent builder and the running thing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from podjig.container.generic import GenericContainer as GenericContainer

__all__ = ["GenericContainer"]


def __getattr__(name: str) -> Any:
    # Late, so that the pytest plugin can observe containers in a run that has none.
    if name != "GenericContainer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from podjig.container.generic import GenericContainer

    globals()[name] = GenericContainer
    return GenericContainer
