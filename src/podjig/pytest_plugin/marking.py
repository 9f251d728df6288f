"""The marker ``integration``, put by itself on every test that uses a fixture of podjig."""

from __future__ import annotations

from typing import Any

import pytest

from podjig.pytest_plugin.services import fixturedefs_of

MARKER = "integration"


class Marking:
    """Marks tests. Takes part where the ini option ``podjig_mark_integration`` says so."""

    @pytest.hookimpl(tryfirst=True)  # before -m deselects
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Mark the tests in whose fixtures, or those fixtures' fixtures, there is one of podjig's."""
        for item in items:
            if any(_is_ours(fixture) for fixture in fixturedefs_of(item)) and not item.get_closest_marker(MARKER):
                item.add_marker(MARKER)


def _is_ours(fixture: pytest.FixtureDef[Any]) -> bool:
    """Whether a fixture, whatever its name, is one of podjig's own or made by one of its factories."""
    return str(getattr(fixture.func, "__module__", "")).startswith("podjig.")
