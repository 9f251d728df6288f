"""psycopg 3, imported when it is first needed."""

from __future__ import annotations

from types import ModuleType

from podjig.errors import PodjigError


def psycopg() -> ModuleType:
    """Return the module ``psycopg``.

    Raises:
        PodjigError: It is not installed, or lacks libpq.
    """
    try:
        import psycopg as module
    except ImportError as error:
        raise PodjigError(
            f"the package 'psycopg' cannot be used: {error}", hint="pip install 'podjig[postgres]'"
        ) from None
    return module
