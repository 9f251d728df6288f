"""Resource limits of a container."""

from __future__ import annotations

from dataclasses import dataclass

from podjig.errors import DefinitionError


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_whole(value) or isinstance(value, float)


@dataclass(frozen=True, kw_only=True)
class Ulimit:
    """One resource limit of the container's processes, as ``setrlimit(2)`` has them.

    Attributes:
        name: Lower-case name without ``RLIMIT_``: ``"nofile"``, ``"nproc"``, ``"memlock"``, ...
        soft: The limit in force; -1 means unlimited.
        hard: The limit up to which a process may raise it; -1 means unlimited.
    """

    name: str
    soft: int
    hard: int

    def __post_init__(self) -> None:
        if not self.name.isalpha() or not self.name.islower():
            raise DefinitionError(
                f"ulimit name {self.name!r} is not a resource", hint="use a name like 'nofile' or 'nproc'"
            )
        if not _is_whole(self.soft) or not _is_whole(self.hard):
            raise DefinitionError(f"ulimit {self.name}={self.soft!r}:{self.hard!r} is not a pair of whole numbers")
        if self.soft < -1 or self.hard < -1 or (self.hard != -1 and not -1 < self.soft <= self.hard):
            raise DefinitionError(
                f"ulimit {self.name}={self.soft}:{self.hard} is not a soft limit within a hard one",
                hint="soft must not exceed hard; -1 means unlimited",
            )


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a container may use. ``None`` sets no limit.

    A rootless engine on cgroup v1 ignores ``memory``, ``cpus`` and ``pids``.

    Attributes:
        memory: Bytes.
        cpus: Number of processors, fractions allowed.
        pids: Number of processes.
        shm_size: Size of ``/dev/shm`` in bytes.
        ulimits: Limits of its processes.
    """

    memory: int | None = None
    cpus: float | None = None
    pids: int | None = None
    shm_size: int | None = None
    ulimits: tuple[Ulimit, ...] = ()

    def __post_init__(self) -> None:
        if self.cpus is not None and not (_is_number(self.cpus) and self.cpus > 0):
            raise DefinitionError(f"cpus must be more than zero, not {self.cpus!r}", hint="write for example 1.5")
        if self.pids is not None and not (_is_whole(self.pids) and self.pids >= 1):
            raise DefinitionError(f"pids must be one or more, not {self.pids!r}")
