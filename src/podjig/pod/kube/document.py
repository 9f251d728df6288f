"""Reading a manifest with an account of what was understood: each field that was not is told by its path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from podjig.errors import DefinitionError

_HINTS: dict[type, str] = {
    str: "put it in quotes: YAML takes it for something else than text",
    int: "write a whole number, without quotes",
    bool: "write true or false, without quotes",
    list: "write a list: lines that begin with '- '",
    dict: "write a mapping: lines like 'key: value'",
    object: "",
}


class Unsupported:
    """The fields that a manifest has and podjig does not read, by path."""

    def __init__(self) -> None:
        self.fields: list[str] = []

    def check(self) -> None:
        """Refuse the manifest if there were any.

        Raises:
            DefinitionError: Naming each.
        """
        if self.fields:
            listed = "".join(f"\n  {field}" for field in self.fields)
            raise DefinitionError(
                f"the manifest has what podjig does not support:{listed}",
                hint="take these out, or define the pod in Python; docs/pods.md lists what is read",
            )


class Node:
    """A mapping of the manifest.

    Args:
        raw: What YAML made of it.
        path: Where it is, like ``Pod web: spec.containers[0]``.
        unsupported: Where to tell what is not understood.

    Raises:
        DefinitionError: It is no mapping.
    """

    def __init__(self, raw: Any, path: str, unsupported: Unsupported) -> None:
        if raw is None:
            raw = {}
        if not isinstance(raw, dict):
            raise DefinitionError(f"{path} is not a mapping, but {raw!r}", hint=_HINTS[dict])
        self.path: str = path
        self._raw = cast("dict[str, Any]", raw)
        self._unsupported = unsupported
        self._read: set[str] = set()

    def get(self, key: str, kind: type | tuple[type, ...] = object) -> Any:
        """Return a field's value, ``None`` where it has none.

        Raises:
            DefinitionError: It is of another type than ``kind``.
        """
        self._read.add(key)
        value = self._raw.get(key)
        if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
            hint = _HINTS[kind[0] if isinstance(kind, tuple) else kind]
            raise DefinitionError(f"{self._at(key)} is {value!r}, which is of the wrong type", hint=hint)
        return value

    def text(self, key: str) -> str:
        """Return a text; empty where there is none."""
        return str(self.get(key, str) or "")

    def node(self, key: str) -> Node:
        """Return a mapping; an empty one where there is none."""
        return Node(self.get(key), self._at(key), self._unsupported)

    def nodes(self, key: str) -> Iterator[Node]:
        """Yield the mappings of a list."""
        for index, raw in enumerate(self.get(key, list) or ()):
            yield Node(raw, f"{self._at(key)}[{index}]", self._unsupported)

    def texts(self, key: str) -> list[str]:
        """Return a list of texts."""
        values = self.get(key, list) or []
        for value in values:
            if not isinstance(value, str):
                raise DefinitionError(f"{self._at(key)} has {value!r}, which is no text", hint=_HINTS[str])
        return list(values)

    def has(self, key: str) -> bool:
        """Whether it has the field."""
        return self._raw.get(key) is not None

    def skip(self, *keys: str) -> None:
        """Take fields for understood that mean nothing here."""
        self._read.update(keys)

    def refuse(self, key: str, why: str = "") -> None:
        """Tell a field as unsupported."""
        self._read.add(key)
        self._unsupported.fields.append(self._at(key) + (f": {why}" if why else ""))

    def done(self) -> None:
        """Tell every field that nobody asked for."""
        for key in self._raw:
            if key not in self._read:
                self.refuse(key)

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if not self.path.endswith(":") else f"{self.path} {key}"
