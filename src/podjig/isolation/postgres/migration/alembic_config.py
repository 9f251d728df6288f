"""Alembic: upgraded to its heads, as ``alembic upgrade heads`` does, in this process."""

from __future__ import annotations

import configparser
import copy
import logging.config
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podjig.errors import DefinitionError, MigrationError, PodjigError
from podjig.isolation.postgres.migration.digest import Digest
from podjig.isolation.postgres.migration.failure import failing
from podjig.isolation.postgres.migration.running import beside_loops
from podjig.services.postgres import DRIVERS

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from podjig.isolation.postgres.database import PostgresDatabase

_TARGET = "heads"
_URL = "sqlalchemy.url"
_TABLES = (
    "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' LIMIT 1"
)


class AlembicMigration:
    """Runs Alembic's upgrades on a copy of a configuration, with ``sqlalchemy.url`` set to the database's."""

    def __init__(self, config: Config, *, depends: tuple[Path, ...] = ()) -> None:
        """Look for the scripts.

        Raises:
            DefinitionError: The configuration names no folder of scripts, or one that does not exist.
        """
        self._config = config
        self._depends = depends
        self._scripts = _scripts_of(config, self.description)

    @classmethod
    def of_file(cls, path: Path, *, depends: tuple[Path, ...] = ()) -> AlembicMigration:
        """Read ``alembic.ini``, or ``[tool.alembic]`` in ``pyproject.toml``.

        Raises:
            PodjigError: Alembic is not installed.
            DefinitionError: The file cannot be used.
        """
        try:
            from alembic.config import Config
        except ImportError as error:
            raise PodjigError(f"the package 'alembic' cannot be used: {error}", hint="pip install alembic") from None
        config = Config(toml_file=str(path)) if path.suffix == ".toml" else Config(str(path))
        return cls(config, depends=depends)

    @property
    def description(self) -> str:
        """The configuration's file."""
        name = self._config.config_file_name or getattr(self._config, "toml_file_name", None)
        return f"Alembic ({name or 'a Config'})"

    @property
    def key(self) -> str:
        """A hash of the configuration's options and of all files of its folders of scripts."""
        digest = Digest("alembic")
        digest.add(_TARGET, *_options(self._config))
        versions: Any = self._scripts._version_locations  # noqa: SLF001  public only where there is a single one
        folders = dict.fromkeys(Path(each) for each in (self._scripts.dir, *versions))
        digest.add_files(folder for folder in folders if folder.is_dir())
        digest.add_files(self._depends)
        return digest.key

    def run(self, database: PostgresDatabase) -> None:
        """Upgrade it. What env.py would do to logging is left undone: pytest has set it up."""
        with failing(self.description):
            beside_loops(lambda: self._upgrade(database))
        self._check(database)

    def _upgrade(self, database: PostgresDatabase) -> None:
        from alembic import command

        config = copy.copy(self._config)
        config.__dict__["file_config"] = copy.deepcopy(self._config.file_config)
        config.__dict__["attributes"] = dict(self._config.attributes)
        url = database.get_url(_driver_of(config))
        config.set_main_option(_URL, url.replace("%", "%%"))
        with _path_unchanged(), _logging_unchanged():
            command.upgrade(config, _TARGET)

    def _check(self, database: PostgresDatabase) -> None:
        """Make sure that env.py used the database it was given: it can have an address of its own."""
        if not self._scripts.get_heads():
            return
        with closing(database.connect(autocommit=True)) as connection:
            if connection.execute(_TABLES).fetchone() is None:
                raise MigrationError(
                    f"the migration by {self.description} left its database empty: env.py must have upgraded another",
                    hint="let env.py use config.get_main_option('sqlalchemy.url') where it is set",
                )


def _scripts_of(config: Config, description: str) -> ScriptDirectory:
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    try:
        with _path_unchanged():
            return ScriptDirectory.from_config(config)
    except (CommandError, configparser.Error, KeyError, ImportError) as error:
        raise DefinitionError(
            f"{description} has no usable folder of scripts: {error}",
            hint="set script_location in its [alembic] section",
        ) from error


def _options(config: Config) -> Iterator[str]:
    """Yield the options that a schema may depend on: all but the URL, and those of where the file lies."""
    parser = config.file_config
    for section in parser.sections():
        for name, value in sorted(parser.items(section, raw=True)):
            if name not in (_URL, "here"):
                yield f"{section} {name}={value}"
    yield repr(sorted(getattr(config, "toml_alembic_config", {}).items()))


def _driver_of(config: Config) -> str:
    """Return the driver that the configuration's own URL names: env.py may be written for it. Else psycopg 3."""
    scheme = (config.get_main_option(_URL) or "").partition("://")[0]
    driver = scheme.partition("+")[2]
    return driver if driver in DRIVERS else "psycopg"


@contextmanager
def _path_unchanged() -> Iterator[None]:
    """Take ``prepend_sys_path`` back: Alembic adds it each time it looks at its configuration."""
    kept = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = kept


@contextmanager
def _logging_unchanged() -> Iterator[None]:
    """Keep env.py from setting up logging: it would close pytest's handlers and disable all loggers."""
    kept: Any = logging.config.fileConfig, logging.config.dictConfig

    def nothing(*_: Any, **__: Any) -> None:
        """Stand in for both."""

    logging.config.fileConfig = logging.config.dictConfig = nothing
    try:
        yield
    finally:
        logging.config.fileConfig, logging.config.dictConfig = kept
