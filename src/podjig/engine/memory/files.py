"""The files of a container in memory."""

from __future__ import annotations

import copy
import io
import posixpath
import tarfile
from collections.abc import Iterable, Mapping
from typing import IO

from podjig.errors import CopyError

_FOLDERS = ("/", "/bin", "/etc", "/home", "/opt", "/root", "/run", "/srv", "/tmp", "/usr", "/var")  # noqa: S108


class FileTree:
    """Folders and files by absolute path.

    Args:
        files: Path -> content, present from the start.
        folders: Further folders.
    """

    def __init__(self, files: Mapping[str, bytes], folders: Iterable[str] = ()) -> None:
        self._entries: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        for folder in (*_FOLDERS, *folders):
            self._make_folder(folder)
        for path, content in files.items():
            self._make_folder(posixpath.dirname(path))
            info = tarfile.TarInfo()
            info.size = len(content)
            self._entries[posixpath.normpath(path)] = (info, content)

    def unpack(self, folder: str, archive: IO[bytes]) -> None:
        """Unpack a tar archive.

        Raises:
            CopyError: There is no such folder, or it is no archive.
        """
        root = posixpath.normpath(folder)
        if root not in self._entries:
            raise CopyError(f"there is no {folder!r} in the container", hint="check the path; parents are not created")
        if not self._entries[root][0].isdir():
            raise CopyError(f"{folder!r} is not a folder", hint="name the folder to unpack into")
        try:
            with tarfile.open(fileobj=archive, mode="r|*") as tar:
                for info in tar:
                    path = posixpath.normpath(posixpath.join(root, info.name))
                    self._make_folder(posixpath.dirname(path))
                    content = tar.extractfile(info) if info.isfile() else None
                    self._entries[path] = (info, content.read() if content else b"")
        except tarfile.TarError as error:
            raise CopyError(f"cannot copy into {folder!r}: not a tar archive ({error})") from None

    def pack(self, path: str) -> bytes:
        """Return a tar archive of a file or folder, named by the last part of its path as engines do.

        Raises:
            CopyError: There is no such path.
        """
        root = posixpath.normpath(path)
        if root not in self._entries:
            raise CopyError(f"there is no {path!r} in the container", hint="check the path")
        above = posixpath.dirname(root)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            for name in sorted(self._entries):
                if name == root or name.startswith(root.rstrip("/") + "/"):
                    info, content = self._entries[name]
                    member = copy.copy(info)
                    member.name = posixpath.relpath(name, above) if name != "/" else "."
                    tar.addfile(member, io.BytesIO(content))
        return packed.getvalue()

    def _make_folder(self, path: str) -> None:
        path = posixpath.normpath(path)
        while path not in self._entries:
            info = tarfile.TarInfo()
            info.type = tarfile.DIRTYPE
            info.mode = 0o755
            self._entries[path] = (info, b"")
            path = posixpath.dirname(path)
