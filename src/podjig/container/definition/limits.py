"""The builder: what the container may use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from podjig.container.definition.fields import Fields
from podjig.spec import Limits, Ulimit, size_in_bytes

if TYPE_CHECKING:
    from typing_extensions import Self


class LimitMethods(Fields):
    """Limits and privileges."""

    def with_memory_limit(self, memory: int | str) -> Self:
        """Limit its memory: bytes, or a size like ``"512m"``."""
        return self._limit(memory=size_in_bytes(memory, what="memory limit"))

    def with_cpu_limit(self, cpus: float) -> Self:
        """Limit it to this many processors; fractions are fine."""
        return self._limit(cpus=cpus)

    def with_pids_limit(self, pids: int) -> Self:
        """Limit the number of its processes."""
        return self._limit(pids=pids)

    def with_shm_size(self, size: int | str) -> Self:
        """Set the size of ``/dev/shm``: bytes, or a size like ``"128m"``."""
        return self._limit(shm_size=size_in_bytes(size, what="shm size"))

    def with_ulimit(self, name: str, soft: int, hard: int | None = None) -> Self:
        """Set a resource limit like ``nofile``; ``hard`` is ``soft`` where left out, -1 means unlimited."""
        limit = Ulimit(name=name, soft=soft, hard=soft if hard is None else hard)
        limits: Limits = self._fields.get("limits", Limits())
        return self._limit(ulimits=(*(u for u in limits.ulimits if u.name != name), limit))

    def with_privileges(
        self, *, cap_add: Sequence[str] = (), cap_drop: Sequence[str] = (), new_privileges: bool = False
    ) -> Self:
        """Add or drop capabilities; ``new_privileges`` lets set-uid programs inside work."""
        return self._set(cap_add=tuple(cap_add), cap_drop=tuple(cap_drop), no_new_privileges=not new_privileges)
