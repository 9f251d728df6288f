"""Files of environment variables: ``KEY=value`` lines, as ``podman run --env-file`` reads them."""

from __future__ import annotations

import os
from pathlib import Path

from podjig.errors import DefinitionError


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file.

    Blank lines and lines that begin with ``#`` are passed over, an ``export`` in front is allowed, a pair of quotes
    around a value is taken off. A bare ``KEY`` takes the value of this process's environment.

    Raises:
        DefinitionError: The file cannot be read, a line is malformed, or a bare key is not set.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DefinitionError(f"environment file {str(path)!r} cannot be read: {error}") from None
    variables = {}
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip().removeprefix("export ").strip()
        if not line or line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        key = key.strip()
        if not key or " " in key:
            raise DefinitionError(f"{path}:{number}: {raw!r} is not KEY=value")
        if not equals:
            if key not in os.environ:
                raise DefinitionError(
                    f"{path}:{number}: {key} has no value and is not set in this process's environment",
                    hint=f"write {key}=value, or export it",
                )
            value = os.environ[key]
        variables[key] = _unquoted(value.strip())
    return variables


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
