"""The marker ``integration``, put by itself on every test that uses a fixture of podjig."""

from __future__ import annotations

from typing import Any

import pytest

from podjig.pytest_plugin import options
from podjig.pytest_plugin.services import fixturedefs_of

MARKER = "integration"
DESCRIPTION = f"{MARKER}: needs a real container; deselect with -m 'not {MARKER}'"


class Marking:
    """Marks tests, where the ini option ``podjig_mark_integration`` says so."""

    @pytest.hookimpl(tryfirst=True)  # before -m deselects
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Mark the tests in whose fixtures, or those fixtures' fixtures, there is one of podjig's."""
        if not options.value(config, "mark_integration"):
            return
        for item in items:
            if any(_is_ours(fixture) for fixture in fixturedefs_of(item)) and not item.get_closest_marker(MARKER):
                item.add_marker(MARKER)


def _is_ours(fixture: pytest.FixtureDef[Any]) -> bool:
    """Whether a fixture, whatever its name, is one of podjig's own or made by one of its factories."""
    return str(getattr(fixture.func, "__module__", "")).startswith("podjig.")
