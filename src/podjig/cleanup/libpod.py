"""The few libpod calls that cleaning up needs, over a plain socket: quick to load, nothing to install.

The helper process and ``podjig ps`` and ``clean`` use it; the engine class would load a whole HTTP client first.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from podjig.cleanup.labels import SESSION, Kind
from podjig.errors import EngineRequestError, EngineUnavailable

_PREFIX = "/v4.0.0/libpod"
_LISTINGS: dict[Kind, str] = {
    "pod": "pods/json",
    "container": "containers/json?all=true",
    "network": "networks/json",
    "volume": "volumes/json",
    "image": "images/json",
}
_FORCED = "force=true&timeout=0"
"""``timeout=0``: else a first process that ignores SIGTERM costs ten seconds."""

REMOVAL_ORDER: tuple[Kind, ...] = ("pod", "container", "network", "volume", "image")
"""Who uses comes before what is used."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Something on the engine that carries podjig's labels.

    Attributes:
        kind: What it is.
        id: What the engine calls it.
        name: What people call it.
        labels: Its labels.
        status: A container's or pod's state; else empty.
        pod: The id of a container's pod; empty if it is in none.
    """

    kind: Kind
    id: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    pod: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class LibpodClient:
    """Calls a Podman service. Each call has a connection of its own, so it may be used from several threads.

    Args:
        address: ``unix:///path`` or ``tcp://host:port``.
        revive: Called when nobody listens, before a call is repeated once.
        timeout: Seconds for one call.
    """

    def __init__(self, address: str, *, revive: Callable[[], object] | None = None, timeout: float = 30.0) -> None:
        self.address = address
        self._revive = revive
        self._timeout = timeout

    def resources(self, *, session: str = "") -> list[Resource]:
        """Return everything that carries podjig's labels, or those of one session, in the order of removal.

        Raises:
            EngineUnavailable: The engine does not answer.
            EngineRequestError: It refuses to list.
        """
        found = []
        for kind in REMOVAL_ORDER:
            found += [item for item in self._list(kind, session) if item.labels.get(SESSION)]
        return found

    def remove(self, item: Resource) -> None:
        """Remove a resource. Quiet where it is gone.

        Networks, volumes and images are not forced: that would take somebody else's containers along.

        Raises:
            EngineUnavailable: The engine does not answer.
            EngineRequestError: It refuses, with its reason.
        """
        name = quote(item.id, safe="")
        path = {
            "pod": f"pods/{name}?{_FORCED}",
            "container": f"containers/{name}?{_FORCED}&volumes=true",
            "network": f"networks/{name}",
            "volume": f"volumes/{name}",
            "image": f"images/{quote(item.id, safe='/:@')}",
        }[item.kind]
        status, body = self._call("DELETE", path)
        reason = body.get("cause") or body.get("message") or "" if isinstance(body, dict) else ""
        if status >= 400 and status != 404 and "no such" not in reason and "already removed" not in reason:
            raise EngineRequestError(f"cannot remove {item}: {reason or f'status {status}'}", status=status)

    def _list(self, kind: Kind, session: str) -> list[Resource]:
        label = f"{SESSION}={session}" if session else SESSION
        path = _LISTINGS[kind]
        filters = urlencode({"filters": json.dumps({"label": [label]})})
        status, body = self._call("GET", f"{path}{'&' if '?' in path else '?'}{filters}")
        if status >= 400:
            raise EngineRequestError(f"cannot list {kind}s: {body}", status=status)
        return [resource for raw in body or () for resource in _read(kind, raw)]

    def _call(self, method: str, path: str) -> tuple[int, Any]:
        for may_revive in (self._revive is not None, False):
            connection = self._connect()
            try:
                connection.connect()
            except (ConnectionRefusedError, FileNotFoundError) as error:
                if may_revive and self._revive is not None:
                    self._revive()
                    continue
                raise EngineUnavailable(f"nobody listens at {self.address}: {error}") from None
            except OSError as error:
                raise EngineUnavailable(f"cannot connect to {self.address}: {error}") from None
            try:
                connection.request(method, f"{_PREFIX}/{path}")
                response = connection.getresponse()
                data = response.read()
            except (OSError, http.client.HTTPException) as error:
                raise EngineUnavailable(f"lost the connection to {self.address}: {error!r}") from None
            finally:
                connection.close()
            return response.status, _decoded(data)
        raise AssertionError("unreachable: the second turn returns or raises")

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.address)
        if parts.scheme in ("unix", "http+unix"):
            return _UnixConnection(parts.path or parts.netloc, self._timeout)
        return http.client.HTTPConnection(parts.hostname or "localhost", parts.port, timeout=self._timeout)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _read(kind: Kind, raw: Mapping[str, Any]) -> list[Resource]:
    labels = raw.get("Labels") or raw.get("labels") or {}
    if kind == "container":
        if raw.get("IsInfra"):
            return []  # goes with its pod
        name = (raw.get("Names") or [raw["Id"]])[0]
        return [
            Resource(
                kind=kind, id=raw["Id"], name=name, labels=labels, status=raw.get("State", ""), pod=raw.get("Pod") or ""
            )
        ]
    if kind == "pod":
        return [Resource(kind=kind, id=raw["Id"], name=raw["Name"], labels=labels, status=raw.get("Status", ""))]
    if kind == "network":
        name = raw.get("name") or raw["Name"]
        return [Resource(kind=kind, id=name, name=name, labels=labels)]
    if kind == "volume":
        return [Resource(kind=kind, id=raw["Name"], name=raw["Name"], labels=labels)]
    # Each name goes by itself; the image with its last. One without a name goes by its id.
    names = [name for name in raw.get("Names") or () if not name.startswith("<none>")]
    return [Resource(kind=kind, id=name, name=name, labels=labels) for name in names or [raw["Id"]]]


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return {"message": data.decode("utf-8", "replace").strip()}
