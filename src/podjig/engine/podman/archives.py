"""Files into and out of containers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import IO, Any

from podjig.engine.podman.transport import path_part
from podjig.engine.podman.verbs import QUICK, Verbs, shown
from podjig.errors import CopyError, EngineRequestError, ResourceNotFound

_TRANSFER = 300.0  # seconds without a byte moved
_GO_MODE_DIRECTORY = 1 << 31


class ArchiveVerbs(Verbs):
    """Copy tar archives."""

    def put_archive(self, id: str, path: str, archive: IO[bytes]) -> None:
        """Owners are those that the archive names."""
        # The service would create a missing folder without a word.
        if not self._stat(id, path) & _GO_MODE_DIRECTORY:
            raise CopyError(f"{path!r} in container {shown(id)} is not a folder", hint="name the folder to unpack into")
        try:
            self._transport.call(
                "PUT",
                _path(id),
                what=f"copy into {path!r} of container {shown(id)}",
                deadline=_TRANSFER,
                # Else a file put where a folder is would take the folder's whole content away first.
                params={"path": path, "copyUIDGID": False, "noOverwriteDirNonDir": True},
                body=archive,
            )
        except ResourceNotFound:
            raise
        except EngineRequestError as error:
            raise CopyError(error.message) from None

    def get_archive(self, id: str, path: str) -> Iterator[bytes]:
        try:
            stream = self._transport.stream(
                "GET",
                _path(id),
                what=f"copy {path!r} out of container {shown(id)}",
                deadline=_TRANSFER,
                params={"path": path},
            )
        except ResourceNotFound as error:
            raise self._absent(id, path, error) from None
        except EngineRequestError as error:
            raise CopyError(error.message) from None
        return stream.pieces(_TRANSFER)

    def _stat(self, id: str, path: str) -> int:
        """Return the mode of ``path``, in the bits of Go's ``fs.FileMode``."""
        answer = self._transport.call(
            "HEAD",
            _path(id),
            what=f"look at {path!r} in container {shown(id)}",
            deadline=QUICK,
            params={"path": path},
            accept=(404,),
        )
        if answer.status == 404:
            raise self._absent(id, path, None)
        stat: dict[str, Any] = json.loads(base64.b64decode(answer.headers["X-Docker-Container-Path-Stat"]))
        return int(stat["mode"])

    def _absent(self, id: str, path: str, error: ResourceNotFound | None) -> CopyError | ResourceNotFound:
        """Return the right error for a 404, which says the same of a missing container and a missing path."""
        exists = self._transport.call(
            "GET",
            f"containers/{path_part(id)}/exists",
            what=f"look for container {shown(id)}",
            deadline=QUICK,
            accept=(404,),
        )
        if exists.status == 404:
            return error or ResourceNotFound(f"there is no container {shown(id)}", status=404)
        return CopyError(
            f"there is no {path!r} in container {shown(id)}", hint="check the path; parents are not created"
        )


def _path(id: str) -> str:
    return f"containers/{path_part(id)}/archive"
