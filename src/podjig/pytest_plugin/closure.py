"""Which fixtures a test uses, as far as collection knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

_OURS = f"{__name__.partition('.')[0]}."

if TYPE_CHECKING:
    import pytest


def fixtures_of(item: pytest.Item) -> Iterator[pytest.FixtureDef[Any]]:
    """Yield the fixtures that a test and its fixtures name, the nearest of each name."""
    info: Any = getattr(item, "_fixtureinfo", None)  # public nowhere; there for functions in pytest 7 to 9
    if info is None:
        return
    for name in info.names_closure:
        found = info.name2fixturedefs.get(name)
        if found:
            yield found[-1]


def is_ours(fixture: pytest.FixtureDef[Any]) -> bool:
    """Whether a fixture is one of podjig's, whatever its name: made by it, or by one of its factories."""
    return str(getattr(fixture.func, "__module__", "")).startswith(_OURS)
