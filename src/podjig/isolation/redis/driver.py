"""The package ``redis``, imported when it is first needed."""

from __future__ import annotations

from types import ModuleType

from podjig.errors import PodjigError


def redis() -> ModuleType:
    """Return the module ``redis``.

    Raises:
        PodjigError: It is not installed.
    """
    try:
        import redis as module
    except ImportError:
        raise PodjigError("the package 'redis' is not installed", hint="pip install 'podjig[redis]'") from None
    return module
