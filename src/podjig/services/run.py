"""What tells one run of tests from another."""

from __future__ import annotations

import os

_OURS = os.urandom(8).hex()


def run_token() -> str:
    """Return a text that all processes of a run have in common: workers of pytest-xdist, and forked children."""
    return os.environ.get("PYTEST_XDIST_TESTRUNUID") or _OURS
