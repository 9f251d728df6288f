"""Servers shared by all tests of a worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from podjig import RedisContainer


@pytest.fixture(scope="session")
def container() -> Iterator[RedisContainer]:
    """A server with few databases."""
    with RedisContainer("redis:8").with_server_settings(databases=8) as started:
        yield started


@pytest.fixture(scope="session")
def guarded_container() -> Iterator[RedisContainer]:
    """An older server with a password that a URL must quote."""
    with RedisContainer("redis:7", password="p@ss:wörd") as started:
        yield started
