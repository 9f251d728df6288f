"""The fixtures that are always there: a server of each kind for the run, and a clean state of it for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from podjig.pytest_plugin import options
from podjig.pytest_plugin.factories import service_fixture
from podjig.pytest_plugin.postgres_fixture import postgres_database
from podjig.pytest_plugin.redis_fixture import redis_database

if TYPE_CHECKING:
    from podjig.container import GenericContainer

IMAGES = {"podjig_postgres_server": "postgres_image", "podjig_redis_server": "redis_image"}
"""The option that names each server's images."""

POSTGRES_SETTINGS = {
    "autovacuum": "off",
    "bgwriter_lru_maxpages": "0",
    "max_connections": "500",
    "max_wal_size": "16GB",
}
"""Server settings beside the test profile, for many short-lived databases: nothing is done in the background, and no
checkpoint but those that making a database takes. The connections are enough for 99 workers, and cost 14 MB."""

REDIS_SETTINGS = {"databases": "256"}
"""One for each worker, and some that are kept. 240 more than usual cost 1 MB."""


def _postgres(config: pytest.Config, image: str | None) -> GenericContainer:
    from podjig.services.postgres import PostgresContainer

    chosen: str = image or options.value(config, "postgres_image")[0]
    return PostgresContainer(chosen, driver="psycopg").with_server_settings(**POSTGRES_SETTINGS)


def _redis(config: pytest.Config, image: str | None) -> GenericContainer:
    from podjig.services.redis import RedisContainer

    chosen: str = image or options.value(config, "redis_image")[0]
    return RedisContainer(chosen).with_server_settings(**REDIS_SETTINGS)


podjig_postgres_server: Any = service_fixture(_postgres, site="podjig_postgres_server", shared=True, partition=False)
"""The run's PostgreSQL server, a ``PostgresContainer``: one, for all workers of pytest-xdist."""

podjig_redis_server: Any = service_fixture(_redis, site="podjig_redis_server", shared=True, partition=False)
"""The run's Redis server, a ``RedisContainer``: one, for all workers of pytest-xdist."""

podjig_postgres: Any = postgres_database(name="podjig_postgres")
"""A clean PostgreSQL database for this test alone, a ``PostgresDatabase``."""

podjig_redis: Any = redis_database(name="podjig_redis")
"""An empty Redis for this test alone, a ``RedisDatabase``."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test that needs a server once with each of the images that the ini names, if it names several."""
    for fixture, option in IMAGES.items():
        if fixture in metafunc.fixturenames:
            images = options.value(metafunc.config, option)
            if len(images) > 1:
                metafunc.parametrize(fixture, images, indirect=True, scope="session")
