"""One container in memory: a state machine driven by the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from podjig.engine.memory.files import FileTree
from podjig.engine.memory.script import Script
from podjig.engine.values import (
    ContainerInfo,
    ContainerState,
    ContainerSummary,
    ImageInfo,
    OutputChunk,
    PublishedPort,
    Stream,
)
from podjig.spec import ContainerSpec


@dataclass(kw_only=True)
class MemoryContainer:
    """State of one container. Its engine holds the lock and tells the time."""

    id: str
    name: str
    spec: ContainerSpec
    image: ImageInfo
    script: Script
    ports: Mapping[str, tuple[PublishedPort, ...]]
    files: FileTree
    volumes: tuple[str, ...] = ()
    status: str = "created"
    exit_code: int = 0
    health: str = ""
    pid: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    written: list[tuple[float, OutputChunk]] = field(default_factory=list)
    _due: list[tuple[float, OutputChunk | None]] = field(default_factory=list)

    def start(self, now: float, pid: int) -> None:
        """Begin to run, and to follow the script."""
        self.status, self.exit_code, self.pid = "running", 0, pid
        self.started_at, self.finished_at = now, None
        self.health = "starting" if self.healthcheck else ""
        self._due = [
            (now + output.after, OutputChunk(stream=output.stream, data=output.data)) for output in self.script.output
        ]
        if self.script.exit_after is not None:
            self._due.append((now + self.script.exit_after, None))
        self._due.sort(key=lambda event: event[0])  # stable: what is written at the end comes before the end

    def advance(self, now: float) -> None:
        """Do what the script has for the time up to ``now``."""
        while self.status == "running" and self._due and self._due[0][0] <= now:
            when, chunk = self._due.pop(0)
            if chunk is None:
                self.end(self.script.exit_code, when)
            else:
                self.write(chunk.data, chunk.stream, when)

    def next_event(self) -> float | None:
        """Return when the script goes on."""
        return self._due[0][0] if self.status == "running" and self._due else None

    def write(self, data: bytes, stream: Stream, now: float) -> None:
        """Write, line by line as engines keep it."""
        self.written += [(now, OutputChunk(stream=stream, data=line)) for line in data.splitlines(keepends=True)]

    def end(self, exit_code: int, now: float) -> None:
        """End."""
        self.status, self.exit_code, self.finished_at, self.pid = "exited", exit_code, now, 0
        self._due = []

    @property
    def healthcheck(self) -> tuple[str, ...]:
        """The command of the healthcheck in OCI form; empty if there is none."""
        return tuple(self.spec.healthcheck.test) if self.spec.healthcheck else self.image.healthcheck

    @property
    def environment(self) -> dict[str, str]:
        """What the first process sees."""
        return {**self.image.env, **self.spec.env}

    @property
    def labels(self) -> dict[str, str]:
        """Its labels, with the image's."""
        return {**self.image.labels, **self.spec.labels}

    def info(self, networks: Mapping[str, tuple[str, ...]]) -> ContainerInfo:
        """What an inspection says; ``networks`` are those it is in, with its aliases."""
        return ContainerInfo(
            id=self.id,
            name=self.name,
            image=self.spec.image,
            image_id=self.image.id,
            state=ContainerState(
                status=self.status,
                exit_code=self.exit_code,
                pid=self.pid,
                started_at=self.started_at,
                finished_at=self.finished_at,
                health=self.health,
            ),
            ports=self.ports,
            labels=self.labels,
            env=self.environment,
            networks=dict.fromkeys(networks, ""),
            aliases=networks,
        )

    def summary(self) -> ContainerSummary:
        """What a listing says."""
        return ContainerSummary(
            id=self.id, name=self.name, image=self.spec.image, status=self.status, labels=self.labels
        )
