"""The folder of a build as the archive that the service wants."""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from podjig.engine.podman.ignore import IgnoreFile
from podjig.errors import ImageBuildError
from podjig.spec import BuildSpec

_CONTAINERFILES = ("Containerfile", "Dockerfile")
_IN_MEMORY = 1 << 20


@contextmanager
def build_context(spec: BuildSpec) -> Iterator[tuple[IO[bytes], str]]:
    """Yield the archive of the context, and the Containerfile's path in it.

    Raises:
        ImageBuildError: The folder or the Containerfile is missing or unreadable.
    """
    context = Path(spec.context)
    if not context.is_dir():
        raise ImageBuildError(f"the build context {str(context)!r} is not a folder", hint="name an existing folder")
    containerfile = _containerfile(context, spec.containerfile)
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as archive:
        try:
            _pack(context, containerfile, archive)
        except OSError as error:
            raise ImageBuildError(
                f"cannot read {error.filename!r} of the build context: {error.strerror}",
                hint="make it readable, or leave it out with a line in .containerignore",
            ) from None
        archive.seek(0)
        yield archive, containerfile


def _containerfile(context: Path, given: str | None) -> str:
    for name in (given,) if given else _CONTAINERFILES:
        if (context / name).is_file():
            if not (context / name).resolve().is_relative_to(context.resolve()):
                break
            return (context / name).resolve().relative_to(context.resolve()).as_posix()
    wanted = repr(given) if given else " or ".join(_CONTAINERFILES)
    raise ImageBuildError(f"there is no {wanted} in the build context {str(context)!r}", hint="give its path below it")


def _pack(context: Path, containerfile: str, archive: IO[bytes]) -> None:
    ignore = IgnoreFile.of(context, containerfile)
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for folder, folders, files in os.walk(context):
            below = Path(folder).relative_to(context)
            folders.sort()
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            for name in sorted([*files, *folders]):
                path = (below / name).as_posix()
                if path != containerfile and ignore.excludes(path):
                    if name in folders and not ignore.may_include_below(path, containerfile):
                        folders.remove(name)
                    elif name in folders and name not in links:
                        continue  # what is taken from below brings its folders along
                    continue
                tar.add(Path(folder, name), arcname=path, recursive=False, filter=_anonymous)


def _anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Leave out who built, which is no part of an image, and what no image holds (sockets and the like)."""
    if not (info.isfile() or info.isdir() or info.issym() or info.islnk()):
        return None
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info
