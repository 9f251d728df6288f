"""The verbs that podjig asks of a container engine.

Every verb has a deadline of its own and raises only podjig errors:
:class:`~podjig.errors.EngineUnavailable` (connection refused or lost), :class:`~podjig.errors.EngineTimeout`
(deadline), :class:`~podjig.errors.ResourceNotFound` (no such thing), :class:`~podjig.errors.EngineRequestError`
(anything else the engine refuses), and what its own docstring adds. Engines are safe to use from several threads.

A container is named by ``id``; its name serves as well. Image names are full (``docker.io/library/postgres:16``):
engines do not resolve short names over their APIs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Protocol

from podjig.engine.values import (
    Capabilities,
    ContainerInfo,
    ContainerSummary,
    EngineInfo,
    ExecResult,
    HealthResult,
    ImageInfo,
    NetworkInfo,
    OutputChunk,
    PodInfo,
    PullProgress,
)
from podjig.spec import BuildSpec, ContainerSpec, NetworkSpec, PodSpec


class LogStream(Iterator[OutputChunk], Protocol):
    """Output as it comes."""

    def close(self) -> None:
        """End it, from any thread, also while one waits in it. Safe to call twice."""


class Engine(Protocol):
    """A container engine."""

    @property
    def info(self) -> EngineInfo:
        """Which engine this is, and where."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do on this host."""

    def ping(self) -> None:
        """Return when the engine answers."""

    def close(self) -> None:
        """Let go of connections. Safe to call twice."""

    def native_client(self) -> Any:
        """Return the engine's own client library's object, for what podjig has no verb for.

        Raises:
            CapabilityMissing: It has none.
        """

    # Containers

    def create_container(self, spec: ContainerSpec) -> str:
        """Create a container and return its id.

        Raises:
            ImageNotFound: The image is not in the store. Nothing is pulled.
            NameInUse: Another container has the name.
        """

    def start_container(self, id: str) -> None:
        """Start a created or stopped container. A running one stays as it is.

        Raises:
            PortInUse: A host port it asks for is taken.
            ContainerStartError: It could not be started: unknown program, unknown user, no network ...
        """

    def init_container(self, id: str) -> None:
        """Make a created or stopped container's namespaces without starting its program, where the engine can.

        Then its first process exists, and waits for :meth:`start_container`. Does nothing where the engine cannot.

        Raises:
            ContainerStartError: As for :meth:`start_container`.
        """

    def stop_container(self, id: str, *, timeout: float) -> None:
        """Send the stop signal, and kill after ``timeout`` seconds. A stopped one stays as it is."""

    def kill_container(self, id: str, signal: str = "SIGKILL") -> None:
        """Send a signal to the first process."""

    def pause_container(self, id: str) -> None:
        """Freeze all its processes. Needs the capability ``pause``."""

    def unpause_container(self, id: str) -> None:
        """Let a frozen container go on. Needs the capability ``pause``."""

    def remove_container(self, id: str) -> None:
        """Remove at once, running or not, with its anonymous volumes. Quiet where there is none."""

    def inspect_container(self, id: str) -> ContainerInfo:
        """Return what is known of a container."""

    def list_containers(self, *, labels: Mapping[str, str] | None = None) -> list[ContainerSummary]:
        """Return the containers, in whatever state, that carry all these labels (an empty value: any value)."""

    def wait_container(self, id: str, *, timeout: float) -> int:
        """Return the exit code once the container has ended.

        Raises:
            EngineTimeout: It still ran after ``timeout`` seconds.
        """

    def logs(
        self,
        id: str,
        *,
        stdout: bool = True,
        stderr: bool = True,
        since: float | None = None,
        tail: int | None = None,
    ) -> list[OutputChunk]:
        """Return what the container wrote so far.

        Args:
            id: The container.
            stdout: Include standard output.
            stderr: Include standard error.
            since: Only what was written at or after this time, in seconds since the epoch.
            tail: Only this many last lines.
        """

    def follow_logs(
        self, id: str, *, stdout: bool = True, stderr: bool = True, since: float | None = None, tail: int | None = None
    ) -> LogStream:
        """Yield what the container wrote, then what it writes, until it ends. Closing the iterator ends it."""

    def exec(
        self,
        id: str,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        workdir: str | None = None,
        privileged: bool = False,
        timeout: float | None = None,
    ) -> ExecResult:
        """Run a command in a running container and return what it gave.

        Raises:
            CommandNotFound: There is no such program.
            ExecTimeout: It did not end within ``timeout`` seconds. It may still run.
            ContainerExited: The container does not run.
        """

    def run_healthcheck(self, id: str) -> HealthResult:
        """Run the container's healthcheck now. Needs the capability ``health_on_demand``."""

    def put_archive(self, id: str, path: str, archive: IO[bytes]) -> None:
        """Unpack a tar archive into the folder ``path`` of the container.

        Raises:
            CopyError: There is no such folder.
        """

    def get_archive(self, id: str, path: str) -> Iterator[bytes]:
        """Yield a tar archive of a file or folder of the container.

        Raises:
            CopyError: There is no such path.
        """

    # Pods: need the capability ``pods``

    def create_pod(self, spec: PodSpec) -> str:
        """Create a pod, its ports published, and return its id. It starts with its first member.

        Raises:
            NameInUse: Another pod or container has the name.
            PortInUse: A host port it asks for is taken (some engines find that when the first member starts).
        """

    def inspect_pod(self, id: str) -> PodInfo:
        """Return what is known of a pod."""

    def remove_pod(self, id: str) -> None:
        """Remove at once a pod and all its members, running or not. Quiet where there is none."""

    # Networks

    def create_network(self, spec: NetworkSpec) -> str:
        """Create a network and return its id.

        Raises:
            NameInUse: Another network has the name.
            SubnetInUse: A subnet it asks for, or the one the engine chose, is taken.
        """

    def inspect_network(self, id: str) -> NetworkInfo:
        """Return what is known of a network, given by id or name."""

    def remove_network(self, id: str) -> None:
        """Remove a network. Quiet where there is none.

        Raises:
            EngineRequestError: It has members.
        """

    def list_networks(self, *, labels: Mapping[str, str] | None = None) -> list[NetworkInfo]:
        """Return the networks that carry all these labels (an empty value: any value)."""

    def connect_network(self, id: str, container: str, *, aliases: Sequence[str] = ()) -> None:
        """Let a container join a network, to be found there by these names too."""

    def disconnect_network(self, id: str, container: str) -> None:
        """Take a container out of a network."""

    # Images

    def inspect_image(self, name: str) -> ImageInfo | None:
        """Return what is known of an image, ``None`` where the store has no such image."""

    def pull_image(self, name: str, *, platform: str | None = None) -> Iterator[PullProgress]:
        """Pull an image, yielding progress. The pull is over, and has succeeded, when the iterator ends.

        Raises:
            ImagePullError: It failed; the message holds the engine's reason.
        """

    def build_image(self, spec: BuildSpec) -> Iterator[str]:
        """Build an image, yielding its output. It has succeeded when the iterator ends.

        Raises:
            ImageBuildError: A step failed.
        """

    def import_image(self, archive: IO[bytes], name: str, *, changes: Sequence[str] = ()) -> str:
        """Make an image of a root file system.

        Args:
            archive: A tar archive of it, compressed or not.
            name: The image's full name.
            changes: Containerfile instructions like ``"CMD /bin/sh"``.

        Returns:
            The image's id.
        """

    def tag_image(self, name: str, new_name: str) -> None:
        """Give an image one more name."""

    def remove_image(self, name: str) -> None:
        """Remove a name, and the image with its last one. Quiet where there is none.

        Raises:
            EngineRequestError: A container uses it.
        """

    # Volumes

    def create_volume(self, name: str, *, labels: Mapping[str, str] | None = None) -> None:
        """Create a named volume.

        Raises:
            NameInUse: There is one of that name.
        """

    def remove_volume(self, name: str) -> None:
        """Remove a volume. Quiet where there is none.

        Raises:
            EngineRequestError: A container uses it.
        """

    def list_volumes(self, *, labels: Mapping[str, str] | None = None) -> list[str]:
        """Return the names of the volumes that carry all these labels (an empty value: any value)."""
