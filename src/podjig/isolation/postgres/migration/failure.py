"""A migration's own error, as one of podjig's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from podjig.errors import MigrationError


@contextmanager
def failing(description: str) -> Iterator[None]:
    """Turn whatever a migration raises into an error that says so; the original is its cause."""
    try:
        yield
    except MigrationError:
        raise
    except Exception as error:
        raise MigrationError(
            f"the migration by {description} failed: {type(error).__name__}: {str(error).strip()}"
        ) from error
    except SystemExit as error:  # as programs' entry points raise it
        raise MigrationError(
            f"the migration by {description} failed: it ended with exit status {error.code}"
        ) from error
