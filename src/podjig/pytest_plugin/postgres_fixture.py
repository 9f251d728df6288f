"""``postgres_database``: a clean PostgreSQL database for each test, under a fixture name of the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from podjig.pytest_plugin import options
from podjig.pytest_plugin.factories import ScopeChoice
from podjig.pytest_plugin.isolating import isolated_fixture

if TYPE_CHECKING:
    from podjig.isolation.postgres.databases import PostgresDatabases


def postgres_database(
    server: str = "podjig_postgres_server",
    *,
    migrate: Any = None,
    mode: str | None = None,
    scope: ScopeChoice = "function",
    name: str | None = None,
    autouse: bool = False,
) -> Any:
    """Return a pytest fixture that gives each test a clean, migrated database: a ``PostgresDatabase``.

    In a conftest.py::

        pg = container_fixture(PostgresContainer("postgres:16"))
        db = postgres_database("pg", migrate="myapp.migrations:upgrade")


        def test_user(db):
            with db.connect() as connection:
                connection.execute("INSERT INTO users (name) VALUES ('me')")

    Args:
        server: The name of the fixture that gives the server: a ``PostgresContainer``, or a URL.
        migrate: What makes the schema, run once a server; see ``PostgresDatabases``. The ini option
            ``podjig_postgres_migrate`` where ``None``, else none: the database is empty.
        mode: How a clean database comes about: ``"pool"``, ``"template"``, ``"rollback"`` or ``"truncate"``. The ini
            option ``podjig_postgres_mode`` where ``None``.
        scope: The fixture's scope: a database for each test, class, module ...; or a function that tells it (pytest's
            dynamic scope).
        name: The fixture's name; that of the variable it is assigned to where ``None``.
        autouse: Use it in every test.

    Raises:
        DefinitionError: The mode is unknown.
    """
    if mode is not None:
        from podjig.isolation.postgres.modes import check_mode

        check_mode(mode)

    def mode_of(config: pytest.Config) -> str:
        return mode or str(options.value(config, "postgres_mode"))

    def make(value: Any, request: pytest.FixtureRequest) -> PostgresDatabases:
        from podjig.isolation.postgres.databases import PostgresDatabases
        from podjig.pytest_plugin.xdist import worker_count, worker_id

        config = request.config
        source = options.value(config, "postgres_migrate") if migrate is None else migrate
        return PostgresDatabases(
            value,
            migrate=_found(config.rootpath, source),
            mode=mode_of(config),
            worker=worker_id(config),
            workers=worker_count(config),
            undo=request.scope == "function",
        )

    return isolated_fixture(server, make, mode=mode_of, scope=scope, name=name, autouse=autouse)


def _found(root: Path, source: Any) -> Any:
    """Return a migration whose relative paths, if they exist there, are those below pytest's root folder."""
    if isinstance(source, (list, tuple)):  # of files; the words of a command stay as they are
        return [_found(root, each) if str(each).endswith(".sql") else each for each in source]
    if isinstance(source, (str, os.PathLike)) and os.fspath(source) and (root / source).exists():
        return root / source
    return source
