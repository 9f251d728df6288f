"""The pytest plugin. Loaded into every pytest run: it imports next to nothing until a container is asked for."""

from __future__ import annotations

from podjig.pytest_plugin.factories import container_fixture
from podjig.pytest_plugin.fixtures import (
    podjig_postgres,
    podjig_postgres_server,
    podjig_redis,
    podjig_redis_server,
    pytest_generate_tests,
)
from podjig.pytest_plugin.hooks import pytest_addoption, pytest_configure, pytest_report_header
from podjig.pytest_plugin.postgres_fixture import postgres_database
from podjig.pytest_plugin.redis_fixture import redis_database

__all__ = [
    "container_fixture",
    "podjig_postgres",
    "podjig_postgres_server",
    "podjig_redis",
    "podjig_redis_server",
    "postgres_database",
    "pytest_addoption",
    "pytest_configure",
    "pytest_generate_tests",
    "pytest_report_header",
    "redis_database",
]
