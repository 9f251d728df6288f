"""The builder: mounts and files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from podjig.container.addresses import Render
from podjig.container.definition.fields import Fields
from podjig.container.files import Source
from podjig.spec import Mount, size_in_bytes
from podjig.spec.mount import parse_mode

if TYPE_CHECKING:
    from typing_extensions import Self


class FileMethods(Fields):
    """What is mounted or copied into the container."""

    def with_volume_mapping(self, host: str | os.PathLike[str], container: str, mode: str = "ro") -> Self:
        """Mount a host path (made absolute) or, where it is a bare name, a named volume, by default read-only.

        Raises:
            MountError: The mode is unknown or the target is not absolute.
        """
        source = os.fspath(host)
        read_only, options = parse_mode(mode, target=container)
        named = isinstance(host, str) and source and os.sep not in source and not source.startswith((".", "~"))
        if not named and source:
            source = str(Path(source).expanduser().absolute())
        return self._mount(
            Mount(
                kind="volume" if named else "bind",
                source=source,
                target=container,
                read_only=read_only,
                options=options,
            )
        )

    def with_tmpfs_mount(self, container_path: str, size: int | str | None = None) -> Self:
        """Mount a tmpfs; its size in bytes, or like ``"64m"``."""
        limit = None if size is None else size_in_bytes(size, what="tmpfs size")
        return self._mount(Mount(kind="tmpfs", target=container_path, size=limit))

    def with_copy_into_container(self, source: Source, destination: str, mode: int | None = None) -> Self:
        """Copy bytes, a file or a folder into the container before it starts; see :meth:`copy_into_container`."""
        self._copies.append((source, destination, mode))
        return self

    def with_address_file(self, destination: str, render: Render, mode: int | None = None) -> Self:
        """Write a file that tells the program where it is found, before it starts.

        For servers that tell their clients where to connect, and so need an address for tests and one for other
        members of the pod or network::

            server.with_address_file(
                "/etc/server/listeners",
                lambda found: f"tests={found.outside(9092)} members={found.inside(29092)}",
            )

        Args:
            destination: The file's absolute path inside; its folder is in the image.
            render: Makes the content of an :class:`~podjig.container.addresses.Addresses`.
            mode: Its permission bits; 0o644 where ``None``.
        """
        self._address_files.append((render, destination, mode))
        return self
