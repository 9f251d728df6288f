"""The marker ``integration``, put by itself on every test that uses a fixture of podjig."""

from __future__ import annotations

import pytest

from podjig.pytest_plugin import options
from podjig.pytest_plugin.closure import fixtures_of, is_ours

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
            if any(is_ours(fixture) for fixture in fixtures_of(item)) and not item.get_closest_marker(MARKER):
                item.add_marker(MARKER)
