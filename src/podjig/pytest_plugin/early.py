"""Starting early: the session's containers begin when collection is over and some test needs them."""

from __future__ import annotations

import pytest

from podjig.pytest_plugin.services import services_of, wanted_by


class Early:
    """Begins in the background what the collected tests will need. Takes part where the option ``early`` says so."""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Begin, unless nothing will run."""
        config = session.config
        if config.getoption("collectonly", False) or config.getoption("setupplan", False):
            return
        wanted = {
            each.key: each
            for item in session.items
            if item.get_closest_marker("skip") is None
            for each in wanted_by(item)
            if each.scope == "session"
        }
        if not wanted:
            return
        from podjig.pytest_plugin.xdist import is_shared, is_worker

        # Which tests a worker gets is not known yet. What all share, some test of the run will need.
        services_of(config).begin(
            [each for each in wanted.values() if not is_worker(config) or is_shared(config, each)]
        )
