"""Volumes of a manifest: emptyDir and hostPath."""

from __future__ import annotations

import os

from podjig.container import GenericContainer
from podjig.errors import DefinitionError
from podjig.pod.kube.document import Node


class Volumes:
    """The volumes of a pod.

    Args:
        spec: The pod's spec.
    """

    def __init__(self, spec: Node) -> None:
        self._paths: dict[str, str] = {}
        self._empty: dict[str, list[tuple[GenericContainer, str, bool]]] = {}
        self._sizes: dict[str, str | None] = {}
        self._known: set[str] = set()
        for volume in spec.nodes("volumes"):
            name = volume.text("name")
            self._known.add(name)
            if volume.has("hostPath"):
                path = volume.node("hostPath")
                self._paths[name] = path.text("path")
                if path.text("type") not in ("", "Directory", "File"):
                    path.refuse("type", "it would be made")
                path.done()
            elif volume.has("emptyDir"):
                empty = volume.node("emptyDir")
                empty.skip("medium")
                size = empty.get("sizeLimit", (str, int))
                self._empty[name] = []
                self._sizes[name] = None if size is None else binary_size(str(size))
                empty.done()
            volume.done()

    def mount(self, container: GenericContainer, node: Node) -> None:
        """Do one of a container's ``volumeMounts``.

        Raises:
            DefinitionError: There is no such volume.
        """
        name, target = node.text("name"), node.text("mountPath")
        read_only = bool(node.get("readOnly", bool))
        if name not in self._known:
            raise DefinitionError(f"{node.path} needs the volume {name!r}, which the pod lacks")
        if name in self._paths:
            container.with_volume_mapping(os.path.abspath(self._paths[name]), target, "ro" if read_only else "rw")  # noqa: PTH100
        elif name in self._empty:
            self._empty[name].append((container, target, read_only))
        node.done()

    def mount_shared(self) -> None:
        """Mount each emptyDir: on tmpfs where one container has it, else a volume of the session."""
        for name, users in self._empty.items():
            shared = f"podjig-{os.urandom(6).hex()}-{name}"
            for container, target, read_only in users:
                if len(users) == 1:
                    container.with_tmpfs_mount(target, self._sizes[name])
                else:
                    container.with_volume_mapping(shared, target, "ro" if read_only else "rw")


def binary_size(text: str) -> str:
    """``128Mi`` -> ``128m``, as podjig writes sizes; others as they are."""
    return text[:-1].lower() if text.endswith("i") else text
