"""What all tests share: the engine, and proof at the end that nothing of theirs is left."""

from __future__ import annotations

import pytest

from podjig.engine.discovery import current_engine
from podjig.engine.protocol import Engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that podjig finds on this machine."""
    return current_engine()
