"""A migration's own error, as one of podjig's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb

from podjig.errors import MigrationError

_BETWEEN = {"podjig", "alembic", "asyncpg", "greenlet", "mako", "pg8000", "psycopg", "psycopg2", "sqlalchemy"}
"""Packages through which a migration passes on its way to the server."""


@contextmanager
def failing(description: str) -> Iterator[None]:
    """Turn whatever a migration raises into an error that says so, and where; the original is its cause."""
    try:
        yield
    except MigrationError:
        raise
    except Exception as error:
        raise MigrationError(
            f"the migration by {description} failed{_place(error)}: {type(error).__name__}: {str(error).strip()}"
        ) from error
    except SystemExit as error:  # as programs' entry points raise it
        raise MigrationError(
            f"the migration by {description} failed{_place(error)}: it ended with exit status {error.code}"
        ) from error


def _place(error: BaseException) -> str:
    """Return the last line of the migration's own code that an error came from; nothing where there is none."""
    lines = [
        (frame.f_code.co_filename, line)
        for frame, line in walk_tb(error.__traceback__)
        if not _is_between(str(frame.f_globals.get("__name__", ""))) and Path(frame.f_code.co_filename).is_absolute()
    ]
    own = [(file, line) for file, line in lines if not {"site-packages", "dist-packages"} & {*Path(file).parts}]
    if not (own or lines):
        return ""
    file, line = (own or lines)[-1]
    here = Path.cwd()
    path = Path(file)
    return f" at {path.relative_to(here) if path.is_relative_to(here) else path}:{line}"


def _is_between(module: str) -> bool:
    package = module.partition(".")[0]
    return package in _BETWEEN or package in sys.stdlib_module_names
