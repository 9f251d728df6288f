"""Containers: from creation to removal."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping

from podjig.engine.bind_source import check_bind_sources, missing_source
from podjig.engine.podman import parse
from podjig.engine.podman.create import create_request
from podjig.engine.podman.networks import no_network
from podjig.engine.podman.start_faults import start_fault
from podjig.engine.podman.transport import path_part
from podjig.engine.podman.verbs import QUICK, SLOW, Verbs, label_filter, shown
from podjig.engine.values import ContainerInfo, ContainerSummary, HealthResult
from podjig.errors import (
    ContainerExited,
    EngineRequestError,
    EngineTimeout,
    ImageNotFound,
    NameInUse,
    ResourceNotFound,
)
from podjig.spec import ContainerSpec

_REMOVED_MEANWHILE = re.compile(r"no such container|no container with|being removed|already removed", re.IGNORECASE)

_ENDS_MEANWHILE = re.compile(r"could not be stopped|container state improper", re.IGNORECASE)
"""A container that ends by itself while it is being stopped or removed."""
_PAUSES = (0.02, 0.1, 0.5, 2.0)


class ContainerVerbs(Verbs):
    """Create, start, stop, remove, inspect, list, wait for containers."""

    def create_container(self, spec: ContainerSpec) -> str:
        if self._local:
            check_bind_sources(spec)
        what = f"create {f'container {spec.name!r}' if spec.name else 'a container'} from {spec.image!r}"
        try:
            answer = self._transport.call(
                "POST",
                "containers/create",
                what=what,
                deadline=QUICK,
                body=create_request(spec, host_ulimits=self._facts.ulimits()),
            )
        except EngineRequestError as error:
            raise _create_fault(error, spec) from None
        made = str(answer.json()["Id"])
        if self._local and spec.pod is None:
            for network in spec.networks:
                self._names.add(made, network.name, network.aliases)
        return made

    def start_container(self, id: str) -> None:
        anew = self._names.prepared(id)
        if id in self._names and not anew:
            self.init_container(id)  # so that its program finds the others from its first moment on
        self._start(id)
        if anew:
            self._names.update(id)

    def _start(self, id: str) -> None:
        what = f"start container {shown(id)}"
        try:
            self._transport.call("POST", f"containers/{path_part(id)}/start", what=what, deadline=SLOW)
        except ResourceNotFound:
            raise
        except EngineRequestError as error:
            raise start_fault(self._start_error(id, error)) from None

    def init_container(self, id: str) -> None:
        what = f"prepare container {shown(id)}"
        try:
            self._transport.call("POST", f"containers/{path_part(id)}/init", what=what, deadline=SLOW)
        except ResourceNotFound:
            raise
        except EngineRequestError as error:
            raise start_fault(self._start_error(id, error)) from None
        self._names.update(id)

    def stop_container(self, id: str, *, timeout: float) -> None:
        try:
            self._transport.call(
                "POST",
                f"containers/{path_part(id)}/stop",
                what=f"stop container {shown(id)}",
                deadline=SLOW + timeout,
                params={"timeout": math.ceil(timeout)},
                repeatable=True,
            )
        except EngineRequestError as error:
            if not (_ENDS_MEANWHILE.search(error.message) and self.inspect_container(id).state.ended):
                raise
        self._await_cleanup(id)
        self._names.ended(id)

    def _await_cleanup(self, id: str) -> None:
        """Wait until the engine has put away what is left of the process.

        Where that ended by itself, its monitor does so a moment later. A start in between would take over the network
        of the dead process, whose ports nobody serves any more.
        """
        deadline = time.monotonic() + QUICK
        while self.inspect_container(id).state.status == "stopped":
            if time.monotonic() > deadline:
                raise EngineTimeout(f"container {shown(id)} ended, but Podman did not clean up within {QUICK:g} s")
            time.sleep(0.01)

    def kill_container(self, id: str, signal: str = "SIGKILL") -> None:
        self._transport.call(
            "POST",
            f"containers/{path_part(id)}/kill",
            what=f"send {signal} to container {shown(id)}",
            deadline=SLOW,
            params={"signal": signal},
        )

    def pause_container(self, id: str) -> None:
        self._pause(id, "pause", "freeze")

    def unpause_container(self, id: str) -> None:
        self._pause(id, "unpause", "thaw")

    def remove_container(self, id: str) -> None:
        self._names.leave(id)
        # timeout=0: else a first process that ignores SIGTERM costs 10 s. volumes=true: the name v, which Docker's
        # API has, is ignored here and leaks anonymous volumes.
        for pause in (*_PAUSES, None):
            try:
                self._transport.call(
                    "DELETE",
                    f"containers/{path_part(id)}",
                    what=f"remove container {shown(id)}",
                    deadline=SLOW,
                    params={"force": True, "timeout": 0, "volumes": True},
                    accept=(404,),
                )
            except EngineRequestError as error:
                if _REMOVED_MEANWHILE.search(error.message):
                    return
                if pause is None or not _ENDS_MEANWHILE.search(error.message):
                    raise
                time.sleep(pause)
            else:
                return

    def inspect_container(self, id: str) -> ContainerInfo:
        answer = self._transport.call(
            "GET", f"containers/{path_part(id)}/json", what=f"inspect container {shown(id)}", deadline=QUICK
        )
        return parse.container(answer.json())

    def list_containers(self, *, labels: Mapping[str, str] | None = None) -> list[ContainerSummary]:
        answer = self._transport.call(
            "GET",
            "containers/json",
            what="list containers",
            deadline=QUICK,
            params={"all": True, **label_filter(labels)},
        )
        return [parse.summary(raw) for raw in answer.json() or ()]

    def wait_container(self, id: str, *, timeout: float) -> int:
        deadline = time.monotonic() + timeout
        try:
            answer = self._transport.call(
                "POST",
                f"containers/{path_part(id)}/wait",
                what=f"wait for the end of container {shown(id)}",
                deadline=max(timeout, 0.001),
                params={"interval": "20ms"},  # the service itself polls, each 250 ms unless told
                repeatable=True,
            )
        except EngineTimeout:
            if time.monotonic() < deadline - 1:  # not our deadline: the service is in trouble
                raise
            raise EngineTimeout(f"container {shown(id)} still ran after {timeout:g} s") from None
        return int(answer.json())

    def run_healthcheck(self, id: str) -> HealthResult:
        try:
            answer = self._transport.call(
                "GET",
                f"containers/{path_part(id)}/healthcheck",
                what=f"run the healthcheck of container {shown(id)}",
                deadline=SLOW,
                repeatable=False,
            )
        except EngineRequestError as error:
            if "not running" in error.message or "state improper" in error.message:
                raise self._not_running(id, "run its healthcheck") from None
            if "no defined healthcheck" in error.message:
                error.hint = "give the container a healthcheck, or wait for something else"
            raise
        result = answer.json()
        status = str(result.get("Status") or "")
        # 4.x answers without a log; its record of the container has it.
        log = result.get("Log")
        if not log and status != "healthy":
            log = (self.inspect_container(id).raw["State"].get("Health") or {}).get("Log")
        output = str((log or [{}])[-1].get("Output") or "")
        return HealthResult(status=status, output=output)

    def _pause(self, id: str, verb: str, word: str) -> None:
        what = f"{word} container {shown(id)}"
        try:
            self._transport.call("POST", f"containers/{path_part(id)}/{verb}", what=what, deadline=SLOW)
        except EngineRequestError as error:
            if "is not running" in error.message:
                raise self._not_running(id, f"{word} it") from None
            raise

    def _start_error(self, id: str, error: EngineRequestError) -> EngineRequestError:
        """Return the error that says why: of a pod that cannot start, only what holds its namespaces tells."""
        if "starting some containers" not in error.message:
            return error
        pod = self.inspect_container(id).raw.get("Pod")
        if not pod:
            return error
        what = f"start pod {shown(pod)}"
        raw = self._transport.call("GET", f"pods/{path_part(pod)}/json", what=what, deadline=QUICK).json()
        try:
            infra = path_part(raw.get("InfraContainerID") or "")
            self._transport.call("POST", f"containers/{infra}/start", what=what, deadline=SLOW)
        except EngineRequestError as reason:
            return reason
        return error

    def _not_running(self, id: str, what: str) -> ContainerExited:
        """Return the error for a call that needs a running container."""
        state = self.inspect_container(id).state
        if state.ended:
            return ContainerExited(
                f"container {shown(id)} exited with code {state.exit_code}: cannot {what}", exit_code=state.exit_code
            )
        return ContainerExited(f"container {shown(id)} is {state.status}, not running: cannot {what}")


def _create_fault(error: EngineRequestError, spec: ContainerSpec) -> Exception:
    text = error.message
    if "image not known" in text or "no such image" in text:
        return ImageNotFound(
            f"image {spec.image!r} is not in the engine's store", hint=f"pull it: podman pull {spec.image}"
        )
    if "name" in text and "already in use" in text:
        return NameInUse(
            f"a container named {spec.name!r} exists already",
            hint=f"choose another name, or remove it: podman rm -f {spec.name}",
            status=error.status,
        )
    if missing := re.search(r"unable to find network with name or ID (?P<name>[^:]+):", text):
        return no_network(missing["name"], error)
    if missing := re.search(r"statfs (?P<source>.+): no such file or directory", text):
        target = next((m.target for m in spec.mounts if m.source == missing["source"]), "?")
        return missing_source(missing["source"], target)
    if error.status == 404:  # not the container, which is not there yet: something it refers to
        return EngineRequestError(text, status=error.status)
    return error
