"""One way to call the libpod API: through podman-py's ``APIClient``, with a deadline, raising only podjig errors."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any, cast
from urllib.parse import quote, urlsplit

from podman.api.client import APIClient
from podman.api.uds import UDSConnection, UDSConnectionPool, UDSSocket
from urllib3.connectionpool import HTTPConnectionPool

from podjig.engine.podman import faults
from podjig.engine.podman.ssh import Tunnel
from podjig.engine.podman.stream import Line, Stream

if TYPE_CHECKING:
    from requests.adapters import HTTPAdapter

API_VERSION = "4.0.0"
"""The libpod version in our URLs: the oldest we support, which newer services keep answering in its own form."""

COMPAT_VERSION = "1.41"

_IDLE = 5.0
"""Seconds after which we do not use a kept connection any more. The service closes idle ones after about 10 s, and
a request that meets that moment is lost without a word whether it was served."""

_PAUSES = (0.02, 0.1, 0.5, 2.0)
"""Seconds before what changes in this moment is looked at again."""

_POOL = 64  # connections kept; more may be open at once

Body = bytes | IO[bytes] | Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A whole answer of the service."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body or b"null")


def path_part(value: str) -> str:
    """Quote a name for use in a URL's path. The service wants the slashes and colons of image names bare."""
    return quote(value, safe="/:@")


class Transport:
    """Calls one Podman service. Safe to use from several threads, and in a forked child.

    Args:
        address: ``unix:///path``, ``tcp://host:port`` or ``ssh://[user@]host[:port]/path``.
        revive: Called when no service listens, before the call is repeated once. May raise podjig errors.
    """

    def __init__(self, address: str, *, revive: Callable[[], None] | None = None) -> None:
        self.address = address
        self._revive = revive
        self.revivals: int = 0  # how often the service was started again: what it did for us before is lost
        self._held: tuple[tuple[int, str], APIClient] | None = None
        self._tunnel = Tunnel(address) if urlsplit(address).scheme == "ssh" else None

    def call(self, method: str, path: str, *, what: str, deadline: float, **options: Any) -> Answer:
        """Call the service and return its whole answer.

        Args:
            method: ``"GET"``, ``"POST"``, ...
            path: Below ``/libpod/``, its parts quoted.
            what: The call in words that follow "cannot", like ``"start container 'web'"``.
            deadline: Seconds that the service may keep silent.
            options: ``params``, ``body``, ``headers``, ``accept`` (statuses of 400 and more that are an answer),
                ``repeatable`` (may be sent again though it may have been served; by default GET, HEAD, DELETE),
                ``compatible`` (use the Docker-compatible endpoint).

        Raises:
            EngineUnavailable: The connection was refused or lost.
            EngineTimeout: The deadline passed.
            EngineRequestError: The service refused; ResourceNotFound for status 404.
        """
        accept = options.pop("accept", ())
        pauses = iter(_PAUSES if method == "GET" else ())
        while True:
            response = self._send(method, path, what=what, deadline=deadline, stream=False, **options)
            answer = Answer(status=response.status_code, headers=response.headers, body=response.content)
            pause = next(pauses, None) if faults.changes_meanwhile(answer.status, answer.body) else None
            if pause is None:
                break
            time.sleep(pause)
        if answer.status >= 400 and answer.status not in accept:
            raise faults.refusal(answer.status, answer.body, what)
        return answer

    def stream(self, method: str, path: str, *, what: str, deadline: float, **options: Any) -> Stream:
        """Call the service and return its answer to be read piece by piece. Options and errors as for :meth:`call`.

        The deadline holds for the head of the answer; the stream's reads bring their own.
        """
        response = self._send(method, path, what=what, deadline=deadline, stream=True, **options)
        _refuse(response, what)
        return Stream(lambda: response, what=what, address=self.address).open()

    def lazy_stream(self, method: str, path: str, *, what: str, **options: Any) -> Stream:
        """Return an answer that is asked for at its first read, and whose head may be as long in coming as its body.

        It has a connection of its own, so that closing the stream ends the waiting at once.
        """
        line = Line()

        def ask() -> Any:
            client = self._connect(line)
            headers = {"Connection": "close"}
            response = self._send(
                method, path, what=what, deadline=None, stream=True, client=client, headers=headers, **options
            )
            _refuse(response, what)
            return response

        return Stream(ask, what=what, address=self.address, line=line)

    def close(self) -> None:
        """Close idle connections and the tunnel. The next call opens new ones."""
        held, self._held = self._held, None
        if held is not None and held[0][0] == os.getpid():
            held[1].close()
        if self._tunnel is not None:
            self._tunnel.close()

    def _send(
        self,
        method: str,
        path: str,
        *,
        what: str,
        deadline: float | None,
        stream: bool,
        client: APIClient | None = None,
        params: Mapping[str, Any] | None = None,
        body: Body = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        compatible: bool = False,
    ) -> Any:
        if repeatable is None:
            repeatable = method in ("GET", "HEAD", "DELETE")
        send_headers = {"Accept-Encoding": "identity", **(headers or {})}
        if isinstance(body, Mapping):
            body = json.dumps(body).encode()
            send_headers["Content-Type"] = "application/json"
        elif body is not None:
            send_headers.setdefault("Content-Type", "application/x-tar")
        # One repetition each: an absent service may be revived, since nothing reached it; a lost connection is
        # no reason to do again what may have been done.
        repeats = {faults.ABSENT: self._revive is not None, faults.LOST: repeatable}
        while True:
            try:
                return getattr(client or self._client(), method.lower())(
                    path,
                    params=_flat(params),
                    data=body,
                    headers=send_headers,
                    timeout=deadline,
                    stream=stream,
                    compatible=compatible,
                )
            except faults.TRANSPORT_FAULTS as error:
                kind = faults.kind(error)
                if not repeats.pop(kind, False) or not _rewind(body):
                    raise faults.unreachable(
                        error, what=what, address=self.address, deadline=deadline or 0.0
                    ) from error
                if kind == faults.ABSENT and self._revive is not None:
                    self._revive()
                    self.revivals += 1

    def _client(self) -> APIClient:
        # Keyed by process: a forked child that used its parent's sockets would mix up both their answers.
        # Two threads may both build one; either serves, the other is dropped unused.
        here = (os.getpid(), self._way())
        held = self._held
        if held is None or held[0] != here:
            held = self._held = (here, self._connect())
        return held[1]

    def _way(self) -> str:
        """Return the address to connect to: our end of the tunnel, where there is one."""
        return self.address if self._tunnel is None else f"unix://{self._tunnel.ensure()}"

    def _connect(self, line: Line | None = None) -> APIClient:
        address = self._way()
        client = APIClient(
            base_url=address, version=API_VERSION, compatible_version=COMPAT_VERSION, max_pool_size=_POOL
        )
        # No proxy stands between us and an engine, and looking for one costs time in every call.
        client.trust_env = False
        pools = cast("HTTPAdapter", client.get_adapter("http://")).poolmanager
        pool = _TcpPool if address.startswith("tcp:") else _UnixPool
        made: Any = pool if line is None else partial(pool, line=line)  # urllib3 only calls it
        pools.pool_classes_by_scheme = {"http": made}
        return client


class _FreshPool(HTTPConnectionPool):
    """A connection pool that does not hand out connections which the service may be closing right now.

    Args:
        line: Is told of new connections.
    """

    def __init__(self, *args: Any, line: Line | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self._line = line

    def _new_conn(self) -> Any:
        connection: Any = super()._new_conn()
        if self._line is not None:
            connection.connect()
            self._line.use(connection.sock)
        return connection

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        if time.monotonic() - getattr(connection, "podjig_idle_since", float("inf")) > _IDLE:
            connection.close()  # it connects anew when used
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.podjig_idle_since = time.monotonic()
        super()._put_conn(conn)


class _UnixConnection(UDSConnection):
    """A connection over a unix socket that leaves none open where nobody listens."""

    def connect(self) -> None:
        sock: Any = UDSSocket(self.uds)
        sock.settimeout(self.timeout)
        try:
            sock.connect()
        except BaseException:
            sock.close()
            raise
        self.sock = sock


class _UnixPool(_FreshPool, UDSConnectionPool):
    """Over a unix socket."""

    ConnectionCls = _UnixConnection


class _TcpPool(_FreshPool):
    """Over TCP."""


def _refuse(response: Any, what: str) -> None:
    if response.status_code >= 400:
        raise faults.refusal(response.status_code, response.content, what)


def _flat(params: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write query parameters as the service reads them: Go's booleans, JSON for tables, nothing for ``None``."""
    flat: dict[str, Any] = {}
    for name, value in (params or {}).items():
        if isinstance(value, bool):
            flat[name] = "true" if value else "false"
        elif isinstance(value, Mapping):
            flat[name] = json.dumps(value)
        elif value is not None:
            flat[name] = value
    return flat


def _rewind(body: Body) -> bool:
    """Make a body ready to be sent again; whether that is possible."""
    if body is None or isinstance(body, (bytes, Mapping)):
        return True
    try:
        body.seek(0)
    except (AttributeError, OSError):  # a pipe, or something that can only be read
        return False
    return True
