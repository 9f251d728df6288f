"""What the projects of several test files need for tests in forked children."""

from __future__ import annotations

FORKED = """
import pytest_forked

serialize_report = pytest_forked.serialize_report

def without_id(report):
    serialized = serialize_report(report)
    serialized.pop("_id", None)  # pytest-forked 1.7.5 cannot send this, which pytest 9.2 has instead of:
    return {**serialized, "nodeid": report.nodeid}

pytest_forked.serialize_report = without_id
"""
