"""Networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from podjig.engine.podman import faults, parse
from podjig.engine.podman.transport import path_part
from podjig.engine.podman.verbs import QUICK, SLOW, Verbs, carries_all, label_filter, shown
from podjig.engine.values import NetworkInfo
from podjig.errors import EngineRequestError, NameInUse, ResourceNotFound, SubnetInUse
from podjig.spec import NetworkSpec

_NO_NETWORK = "unable to find network"


class NetworkVerbs(Verbs):
    """Create, inspect, remove, list, connect, disconnect. Never by force: that removes the members."""

    def create_network(self, spec: NetworkSpec) -> str:
        body: dict[str, Any] = {
            "name": spec.name,
            "driver": spec.driver,
            "internal": spec.internal,
            "ipv6_enabled": spec.ipv6,
            "dns_enabled": spec.dns,
            "subnets": [{"subnet": subnet} for subnet in spec.subnets],
            "options": dict(spec.options),
            "labels": dict(spec.labels),
        }
        what = f"create network {spec.name!r}"
        try:
            answer = self._transport.call("POST", "networks/create", what=what, deadline=QUICK, body=body)
        except EngineRequestError as error:
            if "already exists" in error.message:
                raise NameInUse(
                    f"a network named {spec.name!r} exists already",
                    hint="leave the name out, and it gets one of its own",
                    status=error.status,
                ) from None
            if "already used" in error.message:
                raise SubnetInUse(
                    f"network {spec.name!r} cannot have its subnet: {faults.reason(error)}",
                    hint="leave the subnet out, and the engine chooses a free one",
                    status=error.status,
                ) from None
            raise
        return str(answer.json()["id"])

    def inspect_network(self, id: str) -> NetworkInfo:
        try:
            answer = self._transport.call(
                "GET", f"networks/{path_part(id)}/json", what=f"inspect network {shown(id)}", deadline=QUICK
            )
        except ResourceNotFound as error:
            raise no_network(id, error) from None
        return parse.network(answer.json())

    def remove_network(self, id: str) -> None:
        try:
            name = self.inspect_network(id).name  # given an id, Podman 4 sees no members, and leave them stranded
        except ResourceNotFound:
            return
        what = f"remove network {shown(id)}"
        try:
            self._transport.call("DELETE", f"networks/{path_part(name)}", what=what, deadline=SLOW, accept=(404,))
        except EngineRequestError as error:
            if "being used" in error.message:
                error.hint = f"stop its members first; 'podman ps -a --filter network={name}' lists them"
            raise
        self._names.forget_network(name)

    def list_networks(self, *, labels: Mapping[str, str] | None = None) -> list[NetworkInfo]:
        answer = self._transport.call(
            "GET", "networks/json", what="list networks", deadline=QUICK, params=label_filter(labels)
        )
        listed = [parse.network(raw) for raw in answer.json() or ()]
        return [network for network in listed if carries_all(network.labels, labels)]

    def connect_network(self, id: str, container: str, *, aliases: Sequence[str] = ()) -> None:
        self._change(id, container, "connect", {"container": container, "aliases": list(aliases)})
        member = self._names.id_of(container)
        if member in self._names:
            self._names.add(member, id, aliases)
            self._names.update(member)

    def disconnect_network(self, id: str, container: str) -> None:
        self._change(id, container, "disconnect", {"Container": container})
        self._names.leave(self._names.id_of(container), id)

    def _change(self, id: str, container: str, verb: str, body: Mapping[str, Any]) -> None:
        preposition = "to" if verb == "connect" else "from"
        what = f"{verb} container {shown(container)} {preposition} network {shown(id)}"
        try:
            # The answer is the word OK, or nothing.
            self._transport.call("POST", f"networks/{path_part(id)}/{verb}", what=what, deadline=SLOW, body=body)
        except ResourceNotFound as error:
            if _NO_NETWORK in error.message:
                raise no_network(id, error) from None
            raise
        except EngineRequestError as error:
            if "invalid network mode" in error.message:
                error.hint = (
                    "only containers that were started in a network join others and leave them; the networks of a "
                    "pod's members are the pod's"
                )
            raise


def no_network(id: str, error: EngineRequestError) -> ResourceNotFound:
    """Return the error that names the network which is not there."""
    return ResourceNotFound(
        f"there is no network {shown(id)}: {faults.reason(error)}",
        hint="make it before it is joined (with Network() as network: ...), or name one of 'podman network ls'; "
        "'podjig doctor' says whether this host can have networks",
        status=error.status,
    )
