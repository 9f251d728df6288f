"""The pytest plugin. Loaded into every pytest run: it imports next to nothing until a container is asked for."""

from __future__ import annotations

from podjig.pytest_plugin.factories import container_fixture
from podjig.pytest_plugin.hooks import pytest_addoption, pytest_configure, pytest_report_header

__all__ = ["container_fixture", "pytest_addoption", "pytest_configure", "pytest_report_header"]
