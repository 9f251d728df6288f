"""A server's command line: podjig's defaults first, what the user wrote after them, so that the user wins."""

from __future__ import annotations

from collections.abc import Sequence


def with_defaults(command: tuple[str, ...] | None, server: str, defaults: Sequence[str]) -> tuple[str, ...] | None:
    """Return ``command`` with default options put in front of the user's own.

    Args:
        command: The user's command, ``None`` where there is none. One that runs another program is left alone.
        server: The server program's name.
        defaults: Options, of which a later one overrides an earlier.

    Returns:
        The command; it begins with an option where the user named no program, since images put theirs in front.
    """
    head: tuple[str, ...] = ()
    rest = command or ()
    if rest and not rest[0].startswith("-"):
        if rest[0].rpartition("/")[2] == server:
            head, rest = rest[:1], rest[1:]
        elif not rest[0].endswith(".conf"):
            return command
        if rest and not rest[0].startswith("-"):  # a configuration file comes before all options
            head, rest = head + rest[:1], rest[1:]
    return (*head, *defaults, *rest) or None
