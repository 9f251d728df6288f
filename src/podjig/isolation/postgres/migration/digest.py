"""The key of a migration: a hash of all that its schema is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from podjig.errors import DefinitionError

_FORMAT = "1"
"""Goes into every key: another one, and templates that an older podjig made are made again."""


class Digest:
    """Gathers content."""

    def __init__(self, kind: str) -> None:
        self._hash = hashlib.sha256()
        self.add(_FORMAT, kind)

    def add(self, *parts: str | bytes) -> None:
        """Add parts, kept apart from each other."""
        for part in parts:
            data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
            self._hash.update(b"%d:" % len(data))
            self._hash.update(data)

    def add_files(self, paths: Iterable[Path], *, suffixes: tuple[str, ...] = ()) -> None:
        """Add files' content, and what lies in folders with the names there.

        Args:
            paths: Files and folders, in their order.
            suffixes: Which files of a folder count; all where it is empty.
        """
        for path in paths:
            if path.is_dir():
                for file in files_below(path, suffixes):
                    self.add(file.relative_to(path).as_posix(), content(file))
            else:
                self.add(content(path))

    @property
    def key(self) -> str:
        """What was gathered so far, as sixteen hexadecimal digits."""
        return self._hash.hexdigest()[:16]


def content(file: Path) -> bytes:
    """Return what is in a file that a schema is made of.

    Raises:
        DefinitionError: It cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise DefinitionError(
            f"{str(file)!r}, which the schema is made of, cannot be read: {error.strerror}",
            hint="check its permissions",
        ) from None


def files_below(folder: Path, suffixes: tuple[str, ...] = ()) -> list[Path]:
    """Return a folder's files with such suffixes, at any depth, in an order that is always the same.

    What Python compiles and what is hidden does not count.
    """
    return sorted(
        file
        for file in folder.rglob("*")
        if (not suffixes or file.suffix in suffixes)
        and not any(part == "__pycache__" or part.startswith(".") for part in file.relative_to(folder).parts)
        and file.is_file()
    )


def existing(paths: Iterable[Path], what: str) -> tuple[Path, ...]:
    """Return ``paths``.

    Raises:
        DefinitionError: One does not exist.
    """
    found = tuple(paths)
    for path in found:
        if not path.exists():
            raise DefinitionError(
                f"{what} {str(path)!r} does not exist", hint=f"check the path; relative ones start at {Path.cwd()}"
            )
    return found
