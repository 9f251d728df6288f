"""Volumes of a manifest: emptyDir, hostPath, claims (the engine's volumes), and files of ConfigMaps and Secrets."""

from __future__ import annotations

import os

from podjig.container import GenericContainer
from podjig.container.files import Folder
from podjig.errors import DefinitionError
from podjig.pod.kube.document import Node
from podjig.pod.kube.variables import Sources

_MODE = 0o644
"""Kubernetes' own default for such files."""


class Volumes:
    """The volumes of a pod.

    Args:
        spec: The pod's spec.
        sources: ConfigMaps and Secrets.
    """

    def __init__(self, spec: Node, sources: Sources) -> None:
        self._paths: dict[str, str] = {}
        self._claims: dict[str, tuple[str, bool]] = {}
        self._empty: dict[str, list[tuple[GenericContainer, str, bool]]] = {}
        self._files: dict[str, dict[str, tuple[bytes, int]]] = {}
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
            elif volume.has("persistentVolumeClaim"):
                claim = volume.node("persistentVolumeClaim")
                self._claims[name] = (claim.text("claimName"), bool(claim.get("readOnly", bool)))
                if not self._claims[name][0]:
                    raise DefinitionError(f"{claim.path} has no claimName", hint="name a volume of the engine")
                claim.done()
            for kind, key, called in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
                if volume.has(key):
                    self._files[name] = _files(volume.node(key), kind, called, sources)
            volume.done()

    def mount(self, container: GenericContainer, node: Node) -> None:
        """Do one of a container's ``volumeMounts``.

        Raises:
            DefinitionError: There is no such volume.
        """
        name, target, path = node.text("name"), node.text("mountPath"), node.text("subPath")
        read_only = bool(node.get("readOnly", bool))
        if name not in self._known:
            raise DefinitionError(
                f"{node.path} needs the volume {name!r}, which the pod lacks",
                hint=f"add it to the pod's volumes: {', '.join(sorted(self._known)) or 'it has none'}",
            )
        if name in self._paths:
            container.with_volume_mapping(os.path.abspath(self._paths[name]), target, "ro" if read_only else "rw")  # noqa: PTH100
        elif name in self._claims:
            claim, all_read_only = self._claims[name]
            container.with_volume_mapping(claim, target, "ro" if read_only or all_read_only else "rw")
        elif name in self._empty:
            self._empty[name].append((container, target, read_only))
        elif name in self._files:
            container.with_copy_into_container(_folder(self._files[name], target, path, node), "/")
        if path and name not in self._files:
            node.refuse("subPath", "only of a ConfigMap or Secret")
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


def _files(node: Node, kind: str, called: str, sources: Sources) -> dict[str, tuple[bytes, int]]:
    """Return the files of a ConfigMap's or Secret's volume, by path: content and permission bits."""
    data = sources.find(kind, node, name=called) or {}
    mode = node.get("defaultMode", int)
    bits = _MODE if mode is None else mode
    files = {key: (content, bits) for key, content in data.items()}
    if node.has("items"):
        files = {}
        for item in node.nodes("items"):
            key, own = item.text("key"), item.get("mode", int)
            if key in data:
                files[item.text("path") or key] = (data[key], bits if own is None else own)
            elif not node.get("optional", bool):
                raise DefinitionError(
                    f"{item.path} needs {key!r}, which {kind} {node.text(called)!r} lacks",
                    hint=f"it has {', '.join(data) or 'nothing'}",
                )
            item.done()
    for path in files:
        if path.startswith("/") or ".." in path.split("/"):
            raise DefinitionError(
                f"{node.path} has a file {path!r}, which is not below the volume", hint="leave '..' out"
            )
    node.done()
    return files


def _folder(files: dict[str, tuple[bytes, int]], target: str, path: str, mount: Node) -> Folder:
    """Return what is copied for a mount, by paths from the root."""
    if not target.startswith("/"):
        raise DefinitionError(f"{mount.path}.mountPath {target!r} is not absolute", hint="begin it with '/'")
    if path:
        if path not in files:
            raise DefinitionError(
                f"{mount.path}.subPath is {path!r}, which the volume lacks",
                hint=f"it has {', '.join(files) or 'nothing'}",
            )
        return Folder({target.lstrip("/"): files[path]})
    return Folder({f"{target.strip('/')}/{name}": file for name, file in files.items()})


def binary_size(text: str) -> str:
    """``128Mi`` -> ``128m``, as podjig writes sizes; others as they are."""
    return text[:-1].lower() if text.endswith("i") else text
