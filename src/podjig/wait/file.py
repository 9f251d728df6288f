"""Wait for a file."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

from podjig.errors import CopyError, DefinitionError
from podjig.wait.strategy import WaitStrategy
from podjig.wait.target import WaitTarget


class FileExistsWaitStrategy(WaitStrategy):
    """Wait until a file or folder exists inside the container.

    Args:
        file_path: Its absolute path.
        on_host: Look on this machine instead, for a file that the container writes into a bind mount.

    Raises:
        DefinitionError: The path is relative.
    """

    def __init__(self, file_path: str | os.PathLike[str], *, on_host: bool = False) -> None:
        self._path = os.fspath(file_path)
        self._on_host = on_host
        if not posixpath.isabs(self._path) and not on_host:
            raise DefinitionError(f"path {self._path!r} is not absolute", hint="name it from the container's root")

    def check(self, target: WaitTarget) -> str | None:
        if self._on_host:
            return None if Path(self._path).exists() else "it is not there"
        try:
            archive = iter(target.engine.get_archive(target.id, self._path))
            try:
                next(archive, b"")
            finally:
                close = getattr(archive, "close", None)
                if close is not None:
                    close()
        except CopyError:
            here = "; this machine has such a file: on_host=True looks here" if Path(self._path).exists() else ""
            return f"it is not there{' inside' if here else ''}{here}"
        return None

    def describe(self) -> str:
        return f"the file {self._path!r} to exist {'on this machine' if self._on_host else 'inside'}"
