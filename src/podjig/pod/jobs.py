"""Containers of a pod that run to their end: init containers and one-shot jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from podjig.container import GenericContainer
from podjig.engine.values import ExecResult, OutputChunk
from podjig.errors import ContainerError, ContainerExited, PortError, ResourceNotFound, WaitTimeout
from podjig.pod.place import Place
from podjig.spec import seconds
from podjig.wait.status import ExitWaitStrategy

JOB_TIMEOUT = 300.0
"""Seconds a job may take unless told otherwise."""


def run_init(container: GenericContainer, place: Place) -> None:
    """Run an init container to its successful end.

    Raises:
        ContainerError: It failed.
    """
    if not isinstance(container.wait_strategy(), ExitWaitStrategy):
        container.waiting_for(ExitWaitStrategy(0))
    try:
        container._start_at(place)  # noqa: SLF001  a pod is where containers start
    except ContainerError as error:
        error.message = f"an init container failed, so no member was started: {error.message}"
        raise


def make_job(
    image: str | GenericContainer,
    command: str | Sequence[str] | None,
    *,
    env: Mapping[str, str] | None,
) -> GenericContainer:
    """Return a job, not started."""
    job = GenericContainer(image) if isinstance(image, str) else image.clone()
    if command is not None:
        job.with_command(command)
    for key, value in (env or {}).items():
        job.with_env(key, value)
    job._complete()  # noqa: SLF001  what a subclass sets there is checked as well
    return job.waiting_for(ExitWaitStrategy(None))


def run_job(job: GenericContainer, place: Place, *, timeout: float | timedelta) -> ExecResult:
    """Run a job to its end and return what it gave; see :meth:`podjig.Pod.run`."""
    limit = seconds(timeout, what="timeout")
    job.with_startup_timeout(limit)
    try:
        result = _result(job, place)
    except WaitTimeout as error:
        raise WaitTimeout(
            f"the job of {job.image} did not end within {limit:g} s",
            hint="see what it wrote below; if it only needs longer, run it with timeout=",
            logs=error.logs,
        ) from None
    except (ContainerError, ResourceNotFound):
        if not place.closed:
            raise
        result = None
    finally:
        job.stop()
    if result is None or place.closed:
        raise ContainerExited(f"the pod was stopped while the job of {job.image} ran")
    return result


def _result(job: GenericContainer, place: Place) -> ExecResult:
    job._start_at(place)  # noqa: SLF001  a pod is where containers start
    chunks = job.engine.logs(job.id)
    return ExecResult(
        exit_code=job.inspect().state.exit_code,
        stdout=_joined(chunks, "stdout"),
        stderr=_joined(chunks, "stderr"),
        output=b"".join(chunk.data for chunk in chunks),
    )


def refuse_ports(container: GenericContainer) -> None:
    """Refuse ports of a container that comes when the pod's are fixed.

    Raises:
        PortError: It has some.
    """
    ports = ", ".join(str(port) for port in container.spec().ports)
    if ports:
        raise PortError(
            f"port {ports} of {container.description} cannot be published: the pod's ports were fixed when it started",
            hint="add the container before the pod starts; inside the pod, ports need no publishing",
        )


def _joined(chunks: Sequence[OutputChunk], stream: str) -> bytes:
    return b"".join(chunk.data for chunk in chunks if chunk.stream == stream)
