"""Pods."""

from __future__ import annotations

from contextlib import suppress

from podjig.engine.parallel import side_by_side
from podjig.engine.podman import parse
from podjig.engine.podman.containers import ContainerVerbs
from podjig.engine.podman.create import pod_request
from podjig.engine.podman.start_faults import start_fault
from podjig.engine.podman.transport import path_part
from podjig.engine.podman.verbs import QUICK, SLOW, shown
from podjig.engine.values import PodInfo
from podjig.errors import EngineRequestError, NameInUse, ResourceNotFound
from podjig.spec import PodSpec


class PodVerbs(ContainerVerbs):
    """Create, inspect, remove."""

    def create_pod(self, spec: PodSpec) -> str:
        what = f"create pod {spec.name!r}" if spec.name else "create a pod"
        try:
            answer = self._transport.call("POST", "pods/create", what=what, deadline=SLOW, body=pod_request(spec))
        except EngineRequestError as error:
            if "already in use" in error.message or "already exists" in error.message:
                raise NameInUse(
                    f"a pod or container named {spec.name!r} exists already",
                    hint=f"choose another name, or remove it: podman pod rm -f {spec.name}",
                    status=error.status,
                ) from None
            raise start_fault(error) from None
        return str(answer.json()["Id"])

    def inspect_pod(self, id: str) -> PodInfo:
        answer = self._transport.call(
            "GET", f"pods/{path_part(id)}/json", what=f"inspect pod {shown(id)}", deadline=QUICK
        )
        return parse.pod(answer.json())

    def remove_pod(self, id: str) -> None:
        # Podman 4.3 takes the locks of all members at once, which it also takes, in another order, to start one: it
        # would hang for good, with every listing after it. So the members go before, each by itself, side by side,
        # and what holds their namespaces ends meanwhile.
        what = f"remove pod {shown(id)}"
        try:
            raw = self._transport.call("GET", f"pods/{path_part(id)}/json", what=what, deadline=QUICK).json()
        except ResourceNotFound:
            return
        infra = raw.get("InfraContainerID") or ""

        def end(container: str) -> None:
            if container == infra:
                with suppress(EngineRequestError):  # not started, or ending: it goes with the pod
                    self.stop_container(container, timeout=0)
            else:
                self.remove_container(container)

        failures = side_by_side(end, [*filter(None, [infra]), *parse.pod(raw).containers])
        if failures:
            raise failures[0]
        self._transport.call(
            "DELETE",
            f"pods/{path_part(id)}",
            what=what,
            deadline=SLOW,
            # As for containers: without it, a first process that ignores SIGTERM costs 10 s.
            params={"force": True, "timeout": 0},
            accept=(404,),
        )
