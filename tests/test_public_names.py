"""The names podjig promises, and what it costs to import them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import podjig

PROMISED = [
    "AnyWaitStrategy",
    "CompositeWaitStrategy",
    "ConfigError",
    "ContainerError",
    "ContainerExited",
    "ContainerStatusWaitStrategy",
    "DefinitionError",
    "DockerContainer",
    "DockerImage",
    "EngineError",
    "EngineNotFound",
    "ExecWaitStrategy",
    "ExitWaitStrategy",
    "FileExistsWaitStrategy",
    "GenericContainer",
    "HealthcheckWaitStrategy",
    "HttpWaitStrategy",
    "ImageError",
    "Isolation",
    "Leftover",
    "LeftoverWarning",
    "LogMessageWaitStrategy",
    "MemoryEngine",
    "Network",
    "Pod",
    "PodjigError",
    "PortWaitStrategy",
    "PostgresContainer",
    "PostgresDatabase",
    "PostgresDatabases",
    "RedisContainer",
    "RedisDatabase",
    "RedisDatabases",
    "StateAccess",
    "WaitStrategy",
    "WaitTimeout",
    "arollback",
    "container_fixture",
    "isolated_fixture",
    "migration",
    "postgres_database",
    "redis_database",
    "rollback",
    "wait_for_logs",
]

HEAVY = {
    "asyncio", "concurrent.futures", "dataclasses", "docker", "email", "filelock", "http.client", "importlib.metadata",
    "inspect", "json", "logging", "platformdirs", "podman", "psycopg", "pytest", "re", "redis", "requests", "socket",
    "sqlalchemy", "ssl", "subprocess", "tarfile", "tempfile", "tomllib", "typing", "urllib.parse", "urllib3", "yaml",
}  # fmt: skip
"""Modules that cost milliseconds, or stand for packages that do."""

CLIENTS = {"podman", "docker", "requests", "urllib3", "redis", "psycopg", "sqlalchemy", "http.client", "yaml"}


def modules_after(statement: str) -> set[str]:
    """Return what a bare interpreter has loaded after ``statement``, beyond what it had before."""
    program = (
        "import sys, time; before = set(sys.modules); begun = time.perf_counter()\n"
        f"{statement}\n"
        "took = time.perf_counter() - begun; after = set(sys.modules) - before\n"
        "import json; print(json.dumps([took, sorted(after)]))"
    )
    # Without site: what the environment's own start-up files import is not podjig's.
    path = [entry for entry in sys.path if entry]
    command = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {path!r}\n{program}"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    took, modules = json.loads(output)
    print(f"{statement}: {took * 1000:.1f} ms, {len(modules)} modules")
    return set(modules)


def test_the_exported_names_are_exactly_the_promised_ones() -> None:
    assert sorted(podjig.__all__) == sorted(PROMISED)
    assert set(dir(podjig)) >= {*PROMISED, "__version__"}


@pytest.mark.parametrize("name", PROMISED)
def test_each_is_there_and_explains_itself(name: str) -> None:
    value = getattr(podjig, name)
    assert value.__doc__
    assert value.__module__.startswith("podjig.")
    assert value.__name__ == {"DockerContainer": "GenericContainer"}.get(name, name)


def test_a_star_import_brings_them_all() -> None:
    names: dict[str, object] = {}
    exec("from podjig import *", names)
    assert names.keys() >= set(PROMISED)


def test_type_checkers_are_told_the_same_names() -> None:
    source = podjig.__file__
    program = (
        "import ast, sys\n"
        "tree = ast.parse(open(sys.argv[1], encoding='utf-8').read())\n"
        "block = next(node for node in tree.body if isinstance(node, ast.If))\n"
        "names = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}\n"
        "names |= {t.id for node in block.body if isinstance(node, ast.Assign) for t in node.targets}\n"
        "print(*sorted(filter(None, names)))"
    )
    output = subprocess.run([sys.executable, "-c", program, source], check=True, capture_output=True, text=True).stdout
    assert output.split() == sorted(PROMISED)


def test_another_name_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'podjig' has no attribute 'NoSuchName'"):
        _ = podjig.NoSuchName
    with pytest.raises(ImportError):
        exec("from podjig import NoSuchName")


def test_importing_podjig_loads_nothing_heavy() -> None:
    loaded = modules_after("import podjig")
    assert {name for name in loaded if name.startswith("podjig")} == {"podjig"}
    assert not loaded & HEAVY


def test_the_errors_load_nothing_heavy() -> None:
    assert not modules_after("from podjig import PodjigError, WaitTimeout") & HEAVY


@pytest.mark.parametrize("name", ["GenericContainer", "PostgresContainer", "RedisContainer", "HttpWaitStrategy"])
def test_defining_a_container_loads_no_client(name: str) -> None:
    argument = "80" if name == "HttpWaitStrategy" else "'busybox'"
    assert not modules_after(f"from podjig import {name}; {name}({argument})") & CLIENTS


def test_the_pytest_plugin_loads_no_client() -> None:
    beyond = modules_after("import pytest; before |= set(sys.modules); import podjig.pytest_plugin")
    assert not beyond & CLIENTS
    assert "podjig.container.generic" not in beyond
    assert "podjig.engine.discovery" not in beyond
