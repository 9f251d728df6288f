"""podjig: real services as pytest fixtures, on rootless Podman.

Everything public is imported from here: ``from podjig import PostgresContainer``. Names are resolved when first
used (PEP 562), so importing podjig loads no engine client and costs next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing `typing` for it would be half of our import time
if TYPE_CHECKING:
    from typing import Any

    from podjig.container import GenericContainer as GenericContainer
    from podjig.engine.memory import MemoryEngine as MemoryEngine
    from podjig.errors import ConfigError as ConfigError
    from podjig.errors import ContainerError as ContainerError
    from podjig.errors import ContainerExited as ContainerExited
    from podjig.errors import DefinitionError as DefinitionError
    from podjig.errors import EngineError as EngineError
    from podjig.errors import EngineNotFound as EngineNotFound
    from podjig.errors import ImageError as ImageError
    from podjig.errors import PodjigError as PodjigError
    from podjig.errors import WaitTimeout as WaitTimeout
    from podjig.image.build import DockerImage as DockerImage
    from podjig.isolation.postgres.database import PostgresDatabase as PostgresDatabase
    from podjig.isolation.postgres.databases import PostgresDatabases as PostgresDatabases
    from podjig.isolation.postgres.migration.choice import migration as migration
    from podjig.isolation.postgres.rollback import arollback as arollback
    from podjig.isolation.postgres.rollback import rollback as rollback
    from podjig.isolation.protocol import Isolation as Isolation
    from podjig.isolation.protocol import Leftover as Leftover
    from podjig.isolation.protocol import StateAccess as StateAccess
    from podjig.isolation.redis.database import RedisDatabase as RedisDatabase
    from podjig.isolation.redis.databases import RedisDatabases as RedisDatabases
    from podjig.network import Network as Network
    from podjig.pod import Pod as Pod
    from podjig.pytest_plugin.factories import container_fixture as container_fixture
    from podjig.pytest_plugin.isolating import LeftoverWarning as LeftoverWarning
    from podjig.pytest_plugin.isolating import isolated_fixture as isolated_fixture
    from podjig.pytest_plugin.postgres_fixture import postgres_database as postgres_database
    from podjig.pytest_plugin.redis_fixture import redis_database as redis_database
    from podjig.services.postgres import PostgresContainer as PostgresContainer
    from podjig.services.redis import RedisContainer as RedisContainer
    from podjig.wait.composite import AnyWaitStrategy as AnyWaitStrategy
    from podjig.wait.composite import CompositeWaitStrategy as CompositeWaitStrategy
    from podjig.wait.exec import ExecWaitStrategy as ExecWaitStrategy
    from podjig.wait.file import FileExistsWaitStrategy as FileExistsWaitStrategy
    from podjig.wait.health import HealthcheckWaitStrategy as HealthcheckWaitStrategy
    from podjig.wait.http import HttpWaitStrategy as HttpWaitStrategy
    from podjig.wait.log import LogMessageWaitStrategy as LogMessageWaitStrategy
    from podjig.wait.log import wait_for_logs as wait_for_logs
    from podjig.wait.port import PortWaitStrategy as PortWaitStrategy
    from podjig.wait.status import ContainerStatusWaitStrategy as ContainerStatusWaitStrategy
    from podjig.wait.status import ExitWaitStrategy as ExitWaitStrategy
    from podjig.wait.strategy import WaitStrategy as WaitStrategy

    DockerContainer = GenericContainer

__version__ = "0.1.0"

_HOMES: dict[str, tuple[str, ...]] = {
    "podjig.container": ("GenericContainer",),
    "podjig.engine.memory": ("MemoryEngine",),
    "podjig.errors": (
        "ConfigError",
        "ContainerError",
        "ContainerExited",
        "DefinitionError",
        "EngineError",
        "EngineNotFound",
        "ImageError",
        "PodjigError",
        "WaitTimeout",
    ),
    "podjig.image.build": ("DockerImage",),
    "podjig.isolation.postgres.database": ("PostgresDatabase",),
    "podjig.isolation.postgres.databases": ("PostgresDatabases",),
    "podjig.isolation.postgres.migration.choice": ("migration",),
    "podjig.isolation.postgres.rollback": ("arollback", "rollback"),
    "podjig.isolation.protocol": ("Isolation", "Leftover", "StateAccess"),
    "podjig.isolation.redis.database": ("RedisDatabase",),
    "podjig.isolation.redis.databases": ("RedisDatabases",),
    "podjig.network": ("Network",),
    "podjig.pod": ("Pod",),
    "podjig.pytest_plugin.factories": ("container_fixture",),
    "podjig.pytest_plugin.isolating": ("LeftoverWarning", "isolated_fixture"),
    "podjig.pytest_plugin.postgres_fixture": ("postgres_database",),
    "podjig.pytest_plugin.redis_fixture": ("redis_database",),
    "podjig.services.postgres": ("PostgresContainer",),
    "podjig.services.redis": ("RedisContainer",),
    "podjig.wait.composite": ("AnyWaitStrategy", "CompositeWaitStrategy"),
    "podjig.wait.exec": ("ExecWaitStrategy",),
    "podjig.wait.file": ("FileExistsWaitStrategy",),
    "podjig.wait.health": ("HealthcheckWaitStrategy",),
    "podjig.wait.http": ("HttpWaitStrategy",),
    "podjig.wait.log": ("LogMessageWaitStrategy", "wait_for_logs"),
    "podjig.wait.port": ("PortWaitStrategy",),
    "podjig.wait.status": ("ContainerStatusWaitStrategy", "ExitWaitStrategy"),
    "podjig.wait.strategy": ("WaitStrategy",),
}

_ALIASES = {"DockerContainer": "GenericContainer"}
"""Names that users of testcontainers know, for the same things."""

_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted([*_HOME_OF, *_ALIASES])  # noqa: PLE0605  the names above, listed once


def __getattr__(name: str) -> Any:
    known = _ALIASES.get(name, name)
    if known not in _HOME_OF:
        raise AttributeError(f"module 'podjig' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOME_OF[known]), known)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
