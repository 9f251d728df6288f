"""Copying files into and out of a container, as the tar archives that engines speak."""

from __future__ import annotations

import io
import os
import posixpath
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Union

from podjig.errors import CopyError

if TYPE_CHECKING:
    import tarfile

    from podjig.engine.protocol import Engine


@dataclass(frozen=True)
class Folder:
    """Files to copy in together, by their paths below the destination. Missing folders are made, that one included.

    Attributes:
        files: The content and the permission bits of each.
    """

    files: Mapping[str, tuple[bytes, int]]


Source = Union[bytes, str, "os.PathLike[str]", Folder]
"""What can be copied in: bytes (the file's content), the path of a file or folder on this machine, or a folder made up
of files."""

_IN_MEMORY = 8 << 20
"""Bytes of an archive held in memory; larger ones go to a temporary file."""


def copy_in(engine: Engine, id: str, source: Source, destination: str, mode: int | None) -> None:
    """Copy bytes, a file or a folder to the absolute path ``destination``.

    Args:
        engine: The engine.
        id: The container.
        source: Bytes, a path on this machine, or a folder made up of files.
        destination: The path it gets; ends in ``/`` to keep a file's own name in that folder.
        mode: Permission bits of the file (or of every file of a folder); the source's own, or 0o644 for bytes,
            where ``None``.

    Raises:
        CopyError: The source does not exist or cannot be read, or the destination's folder does not exist.
    """
    if not posixpath.isabs(destination):
        raise CopyError(f"destination {destination!r} is not an absolute path", hint="begin it with /")
    if destination.endswith("/"):
        if isinstance(source, Folder):
            destination = posixpath.normpath(destination)
        elif isinstance(source, bytes):
            raise CopyError(f"bytes need a file name, but {destination!r} is a folder", hint="add a file name")
        else:
            destination += Path(os.path.abspath(source)).name  # noqa: PTH100  "." has a name; a link keeps its own
    folder, name = posixpath.split(posixpath.normpath(destination))
    if isinstance(source, Folder):
        folder, name = "/", posixpath.relpath(destination, "/")  # engines make what is missing on the way from there
    import tempfile

    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as archive:
        try:
            end = _pack(source, name, mode, archive)
        except OSError as error:
            raise CopyError(f"{source!s} cannot be read: {error}") from None
        # Without the zeros that fill the last record: Podman's reader stops before them, and may be gone while they are
        # still being written to it ("passing bulk input to subprocess: broken pipe").
        archive.truncate(end)
        archive.seek(0)
        engine.put_archive(id, folder, archive)


def copy_out(engine: Engine, id: str, source: str, destination: Path | None) -> bytes:
    """Copy a file or folder of the container.

    Args:
        engine: The engine.
        id: The container.
        source: Absolute path inside.
        destination: The path it gets on this machine (an existing folder: it keeps its name in there);
            ``None`` returns a file's content instead.

    Returns:
        The content where ``destination`` is ``None``, else nothing (``b""``).

    Raises:
        CopyError: There is no such path inside, the destination's folder does not exist here, or it cannot be
            written to.
    """
    import tarfile
    import tempfile

    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        for chunk in engine.get_archive(id, source):
            spool.write(chunk)
        spool.seek(0)
        with tarfile.open(fileobj=spool, mode="r:") as archive:
            members = archive.getmembers()
            if destination is None:
                return _content(archive, members, source)
            if destination.is_dir():
                destination = destination / posixpath.basename(posixpath.normpath(source))
            if not destination.parent.is_dir():
                raise CopyError(f"there is no folder {str(destination.parent)!r} on this machine", hint="make it first")
            try:
                _unpack(archive, members, destination)
            except OSError as error:
                raise CopyError(f"{source!r} cannot be written to {str(destination)!r}: {error}") from None
    return b""


def _pack(source: Source, name: str, mode: int | None, target: IO[bytes]) -> int:
    """Write an archive; return where its end mark ends."""
    import tarfile

    with tarfile.open(fileobj=target, mode="w") as archive:
        if isinstance(source, bytes):
            _pack_bytes(source, name, 0o644 if mode is None else mode, archive)
        elif isinstance(source, Folder):
            for path, (content, bits) in source.files.items():
                _pack_bytes(content, posixpath.join(name, path), bits, archive)
        else:
            _pack_path(Path(source), name, mode, archive)
    return archive.offset


def _pack_path(there: Path, name: str, mode: int | None, archive: tarfile.TarFile) -> None:
    if not there.exists():
        raise CopyError(f"there is no {str(there)!r} to copy on this machine", hint="check the path")

    def owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
        # This machine's user ids mean nothing inside.
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        if mode is not None and member.isfile():
            member.mode = mode
        return member

    # What a link leads to is what the user means; links within a folder stay links.
    archive.add(there.resolve(), arcname=name, filter=owned_by_root)


def _pack_bytes(content: bytes, name: str, mode: int, archive: tarfile.TarFile) -> None:
    import tarfile

    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(content), int(time.time()), mode
    archive.addfile(member, io.BytesIO(content))


def _content(archive: tarfile.TarFile, members: Iterable[tarfile.TarInfo], source: str) -> bytes:
    for member in members:
        file = archive.extractfile(member) if member.isfile() else None
        if file is not None:
            return file.read()
        break
    raise CopyError(f"{source!r} is not a file", hint="name a destination to copy a folder to")


def _unpack(archive: tarfile.TarFile, members: list[tarfile.TarInfo], destination: Path) -> None:
    """Write files, folders and links, each below ``destination``: an archive is never trusted to stay there."""
    import shutil

    for member in members:
        path = _below(destination, member.name)
        if member.isdir():
            path.mkdir(exist_ok=True)
            continue
        if path.is_symlink() and path != destination:
            path.unlink()  # an earlier copy's: replaced, never written through
        if member.issym():
            path.symlink_to(member.linkname)
        elif member.isfile():
            content = archive.extractfile(member)
            if content is None:
                raise CopyError(f"{member.name!r} in the archive has no content")
            with path.open("wb") as file:
                shutil.copyfileobj(content, file)
            path.chmod(member.mode & 0o777)
        elif member.islnk():
            shutil.copy2(_below(destination, member.linkname), path, follow_symlinks=False)


def _below(destination: Path, name: str) -> Path:
    """Return where the archive's ``name`` belongs, by a way on which there is neither ``..`` nor a link."""
    parts = PurePosixPath(name.lstrip("/")).parts[1:]  # the first is the copied thing's own name
    if ".." in parts:
        raise CopyError(f"the archive names {name!r}, outside of {str(destination)!r}")
    path = destination
    for part in parts:
        if path.is_symlink():
            raise CopyError(f"the archive wants to write through the link {str(path)!r}")
        path = path / part
    return path
