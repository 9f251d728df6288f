"""Environment variables of a manifest, from values, ConfigMaps and Secrets."""

from __future__ import annotations

import base64
import binascii
import re

from podjig.errors import DefinitionError
from podjig.pod.kube.document import Node

_REFERENCE = re.compile(r"\$(\$|\(([-._a-zA-Z][-._a-zA-Z0-9]*)\))")


class Sources:
    """The ConfigMaps and Secrets of a manifest."""

    def __init__(self) -> None:
        self._data: dict[tuple[str, str], dict[str, bytes]] = {}

    def add(self, kind: str, name: str, node: Node) -> None:
        """Add one.

        Raises:
            DefinitionError: Its data are malformed.
        """
        node.skip("apiVersion", "kind", "metadata", "type", "immutable")
        encoded = "data" if kind == "Secret" else "binaryData"
        plain = "stringData" if kind == "Secret" else "data"
        data = {
            str(key): _decoded(str(value), f"{node.path} {encoded}.{key}")
            for key, value in (node.get(encoded, dict) or {}).items()
        }
        data |= {str(key): str(value).encode() for key, value in (node.get(plain, dict) or {}).items()}
        self._data[kind, name] = data
        node.done()

    def find(self, kind: str, reference: Node, *, name: str = "name") -> dict[str, bytes] | None:
        """Return the data of one; ``None`` where it is optional and absent.

        Args:
            kind: ``"ConfigMap"`` or ``"Secret"``.
            reference: Names it.
            name: In which field.

        Raises:
            DefinitionError: The manifest has none of that name.
        """
        wanted, optional = reference.text(name), reference.get("optional", bool)
        data = self._data.get((kind, wanted))
        if data is None and not optional:
            raise DefinitionError(
                f"{reference.path} needs the {kind} {wanted!r}, which is not in the manifest",
                hint="add it to the same file, after a line '---'",
            )
        return data


def read_environment(container: Node, sources: Sources) -> dict[str, str]:
    """Return a container's variables.

    Raises:
        DefinitionError: One is malformed, or comes from where it is not.
    """
    env: dict[str, str] = {}
    for source in container.nodes("envFrom"):
        prefix = source.text("prefix")
        for kind, key in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
            if source.has(key):
                reference = source.node(key)
                for name, value in (sources.find(kind, reference) or {}).items():
                    env[f"{prefix}{name}"] = _text(value, f"{reference.path}: {name}")
                reference.done()
        source.done()
    for variable in container.nodes("env"):
        name = variable.text("name")
        if variable.has("valueFrom"):
            found = _from(variable.node("valueFrom"), sources)
            if found is not None:
                env[name] = found
        else:
            env[name] = expanded(variable.text("value"), env)
        variable.done()
    return env


def expanded(text: str, env: dict[str, str]) -> str:
    """Return ``text`` with ``$(NAME)`` replaced, as Kubernetes does: ``$$`` is ``$``, unknown names stay."""

    def replaced(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else env.get(match[2], match[0])

    return _REFERENCE.sub(replaced, text)


def _from(node: Node, sources: Sources) -> str | None:
    value = None
    for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if node.has(key):
            reference = node.node(key)
            data, wanted = sources.find(kind, reference), reference.text("key")
            found = None if data is None else data.get(wanted)
            value = None if found is None else _text(found, f"{reference.path}: {wanted}")
            if value is None and not reference.get("optional", bool):
                raise DefinitionError(
                    f"{reference.path} needs {wanted!r}, which {kind} {reference.text('name')!r} lacks",
                    hint=f"it has {', '.join(data or {}) or 'nothing'}",
                )
            reference.done()
    node.done()
    return value


def _decoded(value: str, path: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise DefinitionError(f"{path} is not base64: {error}", hint="or write text under stringData or data") from None


def _text(value: bytes, path: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise DefinitionError(f"{path} is no text, as a variable must be: {error}", hint="mount it as a file") from None
