"""The few libpod calls that cleaning up needs, over a plain socket: quick to load, nothing to install.

The helper process and ``podjig ps`` and ``clean`` use it; the engine class would load a whole HTTP client first.
"""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from podjig.cleanup.labels import KIND, SESSION, Kind, ours
from podjig.cleanup.resource import REMOVAL_ORDER, Resource, labels_of, read
from podjig.errors import EngineError, EngineRequestError, EngineTimeout, EngineUnavailable

_PREFIX = "/v4.0.0/libpod"
_LISTINGS: dict[Kind, str] = {
    "image": "images/json",  # first: what a container has from its image is seen by it
    "pod": "pods/json",
    "container": "containers/json?all=true",
    "network": "networks/json",
    "volume": "volumes/json",
}
_FORCED = "force=true&timeout=0"
"""``timeout=0``: else a first process that ignores SIGTERM costs ten seconds."""

_AT_ONCE = 8
"""Removals under way at the same time. The engine serialises most of one; more gain nothing."""


class LibpodClient:
    """Calls a Podman service. Each call has a connection of its own, so it may be used from several threads.

    Args:
        address: ``unix:///path``, ``tcp://host:port``, or ``ssh://...``, which loads the heavy client after all.
        revive: Called when nobody listens, before a call is repeated once.
        timeout: Seconds for one call.
    """

    def __init__(self, address: str, *, revive: Callable[[], object] | None = None, timeout: float = 30.0) -> None:
        self.address = address
        self._revive = revive
        self._timeout = timeout
        self._tunnel: Any = None

    def resources(self, *, session: str = "") -> list[Resource]:
        """Return everything that podjig has made, or one session of it, in the order of removal.

        A label alone does not make it so: containers inherit the labels of their image, and an image those of the
        container it was committed from. Such a copy tells by the kind that is written on it, or by having it all
        from its image.

        Raises:
            EngineUnavailable, EngineTimeout: The engine does not answer.
            EngineRequestError: It refuses to list.
        """
        raw = {kind: self._list(kind, session) for kind in _LISTINGS}
        on_images = {image["Id"]: ours(labels_of(image)) for image in raw["image"]}
        found = []
        for kind in REMOVAL_ORDER:
            for item in raw[kind]:
                labels = labels_of(item)
                made = labels.get(SESSION) and labels.get(KIND) == kind
                inherited = kind == "container" and on_images.get(item.get("ImageID", "")) == ours(labels)
                if made and not inherited:
                    found += read(kind, item)
        return found

    def image_id(self, name: str) -> str:
        """Return the id of the image of that name; empty if there is none.

        Raises:
            EngineUnavailable, EngineTimeout: The engine does not answer.
        """
        found = self.look(f"images/{quote(name, safe='/:@')}/json")
        return str(found.get("Id", "")) if found else ""

    def look(self, path: str) -> dict[str, Any] | None:
        """Return what the engine says of one thing; ``None`` where it is not there.

        Args:
            path: Below ``/libpod/``, its parts quoted.

        Raises:
            EngineUnavailable, EngineTimeout: The engine does not answer.
        """
        status, body = self._call("GET", path)
        return body if status < 400 else None

    def everything(self) -> list[Resource]:
        """Return all containers, pods, networks, volumes and images there are, whosever.

        Raises:
            EngineUnavailable, EngineTimeout: The engine does not answer.
            EngineRequestError: It refuses to list.
        """
        found = []
        for kind in REMOVAL_ORDER:
            for item in self._list(kind, "", labelled=False):
                found += read(kind, item, all_names=True)
        return found

    def remove(self, item: Resource) -> None:
        """Remove a resource. Quiet where it is gone.

        Networks, volumes and images are not forced: that would take somebody else's containers along.

        Raises:
            EngineUnavailable, EngineTimeout: The engine does not answer.
            EngineRequestError: It refuses, with its reason.
        """
        for _, error in self.remove_all([item]):
            if error is not None:
                raise error

    def remove_all(self, items: Iterable[Resource]) -> list[tuple[Resource, EngineError | None]]:
        """Remove resources that do not depend on each other, several at a time; each with its error, if any.

        No thread is needed for it (late in the interpreter's life none can be started): the requests are all sent
        before the first answer is read.
        """
        queue = list(items)
        # Podman 4.3 may hang for good when it removes a pod while a member is being started: the members go before.
        members = [member for item in queue if item.kind == "pod" for member in self._members(item)]
        if members:
            self.remove_all(members)  # what fails, fails again with the pod, and is told then
        results: list[tuple[Resource, EngineError | None]] = []
        while queue:
            batch, queue = queue[:_AT_ONCE], queue[_AT_ONCE:]
            sent: list[tuple[Resource, http.client.HTTPConnection | EngineError | None]] = []
            for item in batch:
                try:
                    sent.append((item, self._send("DELETE", _removal(item)) if self._is_still(item) else None))
                except EngineError as error:
                    sent.append((item, error))
            results += [
                (item, self._removed(item, call) if isinstance(call, http.client.HTTPConnection) else call)
                for item, call in sent
            ]
        return results

    def _members(self, pod: Resource) -> list[Resource]:
        try:
            status, body = self._call("GET", f"pods/{quote(pod.id, safe='')}/json")
        except EngineError:
            return []  # as the removal of the pod will tell
        if status >= 400:
            return []
        infra = body.get("InfraContainerID")
        found = [member for member in body.get("Containers") or () if member["Id"] != infra]
        return [Resource(kind="container", id=member["Id"], name=member["Name"]) for member in found]

    def _is_still(self, item: Resource) -> bool:
        """Whether a network, volume or image of this name is still the one that was listed, and not a new one.

        Networks have ids as well. But named by its id, Podman 4.3 removes one with somebody's containers in it.
        """
        folder = {"network": "networks", "volume": "volumes", "image": "images"}.get(item.kind)
        if folder is None or not item.labels:
            return True  # known by an id that no other will have; or made by us
        found = self.look(f"{folder}/{quote(item.id, safe='/:@')}/json")
        return found is not None and ours(labels_of(found)) == ours(item.labels)

    def _removed(self, item: Resource, call: http.client.HTTPConnection) -> EngineError | None:
        try:
            try:
                status, body = self._receive(call)
            except EngineUnavailable:
                status, body = self._call("DELETE", _removal(item))  # removing twice does no harm
        except EngineError as error:
            return error
        reason = body.get("cause") or body.get("message") or "" if isinstance(body, dict) else ""
        if status < 400 or status == 404 or "no such" in reason or "already removed" in reason:
            return None
        return EngineRequestError(f"cannot remove {item}: {reason or f'status {status}'}", status=status)

    def _list(self, kind: Kind, session: str, *, labelled: bool = True) -> list[dict[str, Any]]:
        path = _LISTINGS[kind]
        if labelled:
            label = f"{SESSION}={session}" if session else SESSION
            path += f"{'&' if '?' in path else '?'}{urlencode({'filters': json.dumps({'label': [label]})})}"
        status, body = self._call("GET", path)
        for pause in (0.02, 0.1, 0.5):
            if status != 500:  # the service's answer when something vanishes while it lists
                break
            time.sleep(pause)
            status, body = self._call("GET", path)
        if status >= 400:
            reason = body.get("cause") or body.get("message") if isinstance(body, dict) else body
            raise EngineRequestError(f"cannot list {kind}s: {reason}", status=status)
        return list(body or ())

    def _call(self, method: str, path: str) -> tuple[int, Any]:
        """Call, once more where the connection was lost: whatever we ask may be asked twice."""
        try:
            return self._receive(self._send(method, path))
        except EngineUnavailable:
            return self._receive(self._send(method, path))

    def _send(self, method: str, path: str) -> http.client.HTTPConnection:
        try:
            connection = self._connect()
        except (ConnectionRefusedError, FileNotFoundError) as error:
            if self._revive is None:
                raise EngineUnavailable(f"nobody listens at {self.address}: {error}") from None
            self._revive()
            connection = self._connected()
        try:
            connection.request(method, f"{_PREFIX}/{path}")
        except OSError as error:
            connection.close()
            raise EngineUnavailable(f"lost the connection to {self.address}: {error}") from None
        return connection

    def _receive(self, connection: http.client.HTTPConnection) -> tuple[int, Any]:
        try:
            response = connection.getresponse()
            data = response.read()
        except TimeoutError:
            raise EngineTimeout(f"no answer from {self.address} within {self._timeout:g} s") from None
        except (OSError, http.client.HTTPException) as error:
            raise EngineUnavailable(f"no answer from {self.address}: {str(error) or type(error).__name__}") from None
        finally:
            connection.close()
        return response.status, _decoded(data)

    def _connected(self) -> http.client.HTTPConnection:
        try:
            return self._connect()
        except OSError as error:
            raise EngineUnavailable(f"cannot connect to {self.address}: {error}") from None

    def _connect(self) -> http.client.HTTPConnection:
        """Connect. Only that nobody listens is told as an ``OSError``, for whoever may change it."""
        connection = self._connection()
        try:
            connection.connect()
        except (ConnectionRefusedError, FileNotFoundError):
            connection.close()
            raise
        except OSError as error:
            connection.close()
            raise EngineUnavailable(f"cannot connect to {self.address}: {error}") from None
        return connection

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.address)
        if parts.scheme in ("unix", "http+unix"):
            return _UnixConnection(parts.path or parts.netloc, self._timeout)
        if parts.scheme == "ssh":
            if self._tunnel is None:
                from podjig.engine.podman.ssh import Tunnel

                self._tunnel = Tunnel(self.address)
            return _UnixConnection(str(self._tunnel.ensure()), self._timeout)
        if parts.scheme == "https":
            return http.client.HTTPSConnection(parts.hostname or "localhost", parts.port, timeout=self._timeout)
        return http.client.HTTPConnection(parts.hostname or "localhost", parts.port, timeout=self._timeout)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _removal(item: Resource) -> str:
    name = quote(item.id, safe="/:@" if item.kind == "image" else "")
    return {
        "pod": f"pods/{name}?{_FORCED}",
        "container": f"containers/{name}?{_FORCED}&volumes=true",
        "network": f"networks/{name}",
        "volume": f"volumes/{name}",
        "image": f"images/{name}",
    }[item.kind]


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return {"message": data.decode("utf-8", "replace").strip()}
