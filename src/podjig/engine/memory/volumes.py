"""The volumes of the engine in memory."""

from __future__ import annotations

from collections.abc import Mapping

from podjig.errors import EngineRequestError, NameInUse


def carries(labels: Mapping[str, str], wanted: Mapping[str, str] | None) -> bool:
    """Whether all wanted labels are among ``labels``; an empty value stands for any."""
    return all(name in labels and value in ("", labels[name]) for name, value in (wanted or {}).items())


class VolumeStore:
    """Volumes by name: labels, and the containers that use them."""

    def __init__(self) -> None:
        self._labels: dict[str, dict[str, str]] = {}
        self._users: dict[str, set[str]] = {}

    def create(self, name: str, labels: Mapping[str, str]) -> None:
        """Make one."""
        if name in self._labels:
            raise NameInUse(f"a volume named {name!r} exists already", hint="choose another name, or remove it")
        self._labels[name] = dict(labels)
        self._users[name] = set()

    def use(self, name: str, container: str) -> None:
        """Note that a container mounts it; made where it is missing, as engines do."""
        if name not in self._labels:
            self.create(name, {})
        self._users[name].add(container)

    def release(self, container: str) -> None:
        """Forget a container."""
        for users in self._users.values():
            users.discard(container)

    def remove(self, name: str) -> None:
        """Remove one."""
        if self._users.get(name):
            raise EngineRequestError(f"cannot remove volume {name!r}: {len(self._users[name])} container(s) use it")
        self._labels.pop(name, None)
        self._users.pop(name, None)

    def names(self, labels: Mapping[str, str] | None) -> list[str]:
        """List them."""
        return [name for name, own in self._labels.items() if carries(own, labels)]
