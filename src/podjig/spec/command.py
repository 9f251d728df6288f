"""Commands: a list as it is, a string as a shell would split it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from podjig.errors import DefinitionError


def split_command(command: str | Sequence[str]) -> tuple[str, ...]:
    """Return program and arguments. Nothing is expanded: no variables, no globs, no pipes.

    Raises:
        DefinitionError: A quote is not closed, or a part of a list is not a string.
    """
    if isinstance(command, str):
        try:
            return tuple(shlex.split(command))
        except ValueError as error:
            raise DefinitionError(
                f"command {command!r} cannot be split: {error}", hint="close the quotes, or give a list"
            ) from None
    parts = tuple(command)
    wrong = [part for part in parts if not isinstance(part, str)]
    if wrong:
        raise DefinitionError(f"command part {wrong[0]!r} is not a string", hint=f"write {str(wrong[0])!r}")
    return parts
