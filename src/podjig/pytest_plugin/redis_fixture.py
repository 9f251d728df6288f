"""``redis_database``: a clean Redis for each test, under a fixture name of the user's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from podjig.pytest_plugin import options
from podjig.pytest_plugin.factories import ScopeChoice
from podjig.pytest_plugin.isolating import isolated_fixture

if TYPE_CHECKING:
    from podjig.isolation.redis.databases import RedisDatabases


def redis_database(
    server: str = "podjig_redis_server",
    *,
    mode: str | None = None,
    scope: ScopeChoice = "function",
    name: str | None = None,
    autouse: bool = False,
) -> Any:
    """Return a pytest fixture that gives each test an empty Redis: a ``RedisDatabase``, with ``client`` and ``url``.

    Args:
        server: The name of the fixture that gives the server: a ``RedisContainer``, or a URL.
        mode: How it comes about: ``"index"`` (a database by its index, for each worker), ``"prefix"`` or
            ``"server"``. The ini option ``podjig_redis_mode`` where ``None``.
        scope: The fixture's scope, or a function that tells it (pytest's dynamic scope).
        name: The fixture's name; that of the variable it is assigned to where ``None``.
        autouse: Use it in every test.

    Raises:
        DefinitionError: The mode is unknown.
    """
    if mode is not None:
        from podjig.isolation.redis.databases import check_mode

        check_mode(mode)

    def mode_of(config: pytest.Config) -> str:
        return mode or str(options.value(config, "redis_mode"))

    def make(value: Any, request: pytest.FixtureRequest) -> RedisDatabases:
        from podjig.isolation.redis.databases import RedisDatabases
        from podjig.pytest_plugin.xdist import worker_count, worker_id

        config = request.config
        return RedisDatabases(value, mode=mode_of(config), worker=worker_id(config), workers=worker_count(config))

    return isolated_fixture(server, make, mode=mode_of, scope=scope, name=name, autouse=autouse)
