"""What a user gives for a migration, and which kind it is."""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union, cast

from podjig.errors import DefinitionError, MigrationError
from podjig.isolation.postgres.migration.digest import Digest, existing
from podjig.isolation.postgres.migration.nothing import NoMigration
from podjig.isolation.postgres.migration.protocol import Migration

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import MetaData

    from podjig.isolation.postgres.database import PostgresDatabase

PathLike = Union[str, "os.PathLike[str]"]
Migrate = Union[PathLike, Callable[..., Any], Sequence[Any], Migration, "Config", "MetaData", None]
"""What may be given as a migration; see :func:`migration`."""

_ATTRIBUTE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")

_HINT = (
    "give a function or 'module:function', .sql files or a folder of them, an alembic.ini or an Alembic Config,"
    " or a command as a list of words"
)


def migration(value: Migrate, *, depends: Sequence[PathLike] = ()) -> Migration:
    """Return what makes a schema, of whatever kind. All that can be checked without a server is checked here.

    Args:
        value: One of

            * ``None``: an empty database;
            * a function, async or not, or ``"module:function"``. It gets what its parameter's annotation or name asks
              for: the database's URL for SQLAlchemy (``url``, or anything else), for libpq (``dsn``), a
              :class:`PostgresDatabase` (``database``), an autocommit psycopg connection (``connection``) or a
              SQLAlchemy engine (``engine``, ``bind``): so ``Base.metadata.create_all`` is one;
            * a SQLAlchemy ``MetaData``, or a declarative base;
            * a ``.sql`` file, a list of them, or a folder: all below it in the order of their names, numbers in names
              by value, but what ends in ``.down.sql``;
            * an ``alembic.config.Config`` or the path of an ``alembic.ini``: upgraded to its heads;
            * a command as a list of words, run with ``DATABASE_URL`` and libpq's ``PGHOST`` and the like;
            * a list of several of these, run in that order.
        depends: Files and folders whose content makes the schema as well. A template is made again when its migration
            changes, which is seen from: SQL files' content and order; Alembic's options and all files of its script
            folder; a function's module, the ``.py`` and ``.sql`` files of its package, and those of packages that its
            module imports, where they are not installed. Name whatever else there is. A command without ``depends``
            runs again in each run.

    Raises:
        DefinitionError: It is none of these, or a file or folder does not exist.
        MigrationError: The module or its attribute cannot be imported.
    """
    more = existing((Path(each) for each in depends), "what the migration depends on,")
    if _is_migration(value):
        given: Any = value
        return _Several([given], more) if more else given
    if value is None:
        return NoMigration()
    if isinstance(value, (str, os.PathLike)):
        return _of_text(value, more)
    if isinstance(value, type) and _is_a("sqlalchemy", "MetaData", tables := getattr(value, "metadata", None)):
        value = tables
    if callable(value) or _is_a("sqlalchemy", "MetaData", value):
        from podjig.isolation.postgres.migration.function import FunctionMigration

        return FunctionMigration(value, depends=more)
    if _is_a("alembic.config", "Config", value):
        from podjig.isolation.postgres.migration.alembic_config import AlembicMigration

        return AlembicMigration(cast("Config", value), depends=more)
    if isinstance(value, (list, tuple)) and value:
        return _of_several(value, more)
    raise DefinitionError(f"{value!r} is no migration", hint=_HINT)


def _is_migration(value: object) -> bool:
    """Whether a value is a migration itself: without computing its key, as ``isinstance`` would."""
    missing = object()
    return all(inspect.getattr_static(value, name, missing) is not missing for name in ("key", "description", "run"))


def _is_a(module: str, name: str, value: object) -> bool:
    """Whether a value is of a package's class. Nothing is imported: a value of it proves that it is."""
    kind = getattr(sys.modules.get(module), name, None)
    return isinstance(kind, type) and isinstance(value, kind)


def _of_text(value: PathLike, more: tuple[Path, ...]) -> Migration:
    text = os.fspath(value)
    if isinstance(value, str) and _ATTRIBUTE.fullmatch(value):
        return migration(_imported(value), depends=more)
    path = Path(text).expanduser()
    if text and (path.suffix == ".ini" or path.name == "pyproject.toml"):
        from podjig.isolation.postgres.migration.alembic_config import AlembicMigration

        return AlembicMigration.of_file(*existing([path], "the Alembic configuration"), depends=more)
    if text and (path.suffix == ".sql" or _exists(path)):
        from podjig.isolation.postgres.migration.sql import SqlMigration

        return SqlMigration([path], depends=more)
    raise DefinitionError(f"{text!r} is no migration, and no such file or folder exists", hint=_HINT)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long for a name, such as a text of SQL
        return False


def _of_several(values: Sequence[Any], more: tuple[Path, ...]) -> Migration:
    texts = all(isinstance(each, (str, os.PathLike)) for each in values)
    if texts and all(os.fspath(each).endswith(".sql") for each in values):
        from podjig.isolation.postgres.migration.sql import SqlMigration

        return SqlMigration([Path(each).expanduser() for each in values], depends=more)
    if all(isinstance(each, str) for each in values):
        from podjig.isolation.postgres.migration.command import CommandMigration

        return CommandMigration(values, depends=more)
    return _Several([migration(each, depends=more) for each in values], ())


def _imported(name: str) -> Any:
    """Return the attribute that ``"module:attribute"`` names."""
    module, _, attributes = name.partition(":")
    try:
        found: Any = import_module(module)
    except Exception as error:
        raise MigrationError(
            f"the migration {name!r} cannot be imported: {type(error).__name__}: {error}",
            hint=f"try: python -c 'import {module}'; pytest's ini option 'pythonpath' adds to where modules are found",
        ) from error
    for attribute in attributes.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError as error:
            raise MigrationError(
                f"the migration {name!r} cannot be imported: {error}", hint=f"what it names must be in {module}"
            ) from None
    return found


class _Several:
    """Migrations that are run one after another, and what else they depend on."""

    def __init__(self, migrations: Sequence[Migration], depends: tuple[Path, ...]) -> None:
        self._migrations = migrations
        self._depends = depends

    @property
    def key(self) -> str:
        digest = Digest("several")
        digest.add(*(each.key for each in self._migrations))
        digest.add_files(self._depends)
        return digest.key

    @property
    def description(self) -> str:
        return ", then ".join(each.description for each in self._migrations)

    def run(self, database: PostgresDatabase) -> None:
        for each in self._migrations:
            each.run(database)
