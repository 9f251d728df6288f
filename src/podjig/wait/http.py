"""Wait for an HTTP answer."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from podjig.errors import DefinitionError
from podjig.spec import Port
from podjig.wait.deadline import at_most
from podjig.wait.strategy import WaitStrategy
from podjig.wait.target import WaitTarget

if TYPE_CHECKING:
    from http.client import HTTPConnection

    from typing_extensions import Self

_ONE_REQUEST = 5.0
"""Seconds for one request: a server that hangs in its start is asked again."""


class HttpWaitStrategy(WaitStrategy):
    """Wait until an HTTP or HTTPS request is answered as wanted: with status 200 unless said otherwise.

    Args:
        port: The container's port.
        path: Path and query.

    Raises:
        PortError: The port is out of range.
        DefinitionError: The path holds what a request cannot.
    """

    def __init__(self, port: int | str, path: str | None = "/") -> None:
        self._port = Port.parse(port)
        self._path = _checked_path("/" + (path or "").lstrip("/"))
        self._method = "GET"
        self._headers: dict[str, str] = {}
        self._body: bytes | None = None
        self._tls: bool = False
        self._verify = True
        self._codes: set[int] = set()
        self._status_predicates: list[Callable[[int], bool]] = []
        self._body_predicates: list[Callable[[str], bool]] = []

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Take port, path, TLS and credentials from a URL; the host's name in it is not used.

        Raises:
            DefinitionError: It is not an http or https URL.
        """
        hint = "write http://localhost:8080/health"
        try:
            parts = urlsplit(url)
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError as error:
            raise DefinitionError(f"{url!r} is not a URL: {error}", hint=hint) from None
        if parts.scheme not in ("http", "https"):
            raise DefinitionError(f"{url!r} is not an http or https URL", hint=hint)
        strategy = cls(port, parts.path + (f"?{parts.query}" if parts.query else ""))
        if parts.username is not None:
            strategy.with_basic_credentials(unquote(parts.username), unquote(parts.password or ""))
        return strategy.using_tls() if parts.scheme == "https" else strategy

    def for_status_code(self, code: int) -> Self:
        """Accept this status; called several times, any of them."""
        self._codes.add(code)
        return self

    def for_status_code_matching(self, predicate: Callable[[int], bool]) -> Self:
        """Accept a status for which ``predicate`` is true."""
        self._status_predicates.append(predicate)
        return self

    def for_response_predicate(self, predicate: Callable[[str], bool]) -> Self:
        """Ask, beside the status, that ``predicate`` be true of the answer's body."""
        self._body_predicates.append(predicate)
        return self

    def using_tls(self, insecure: bool = False) -> Self:
        """Use HTTPS; ``insecure`` accepts any certificate, as test servers often need."""
        self._tls, self._verify = True, not insecure
        return self

    def with_header(self, name: str, value: str) -> Self:
        """Send this header."""
        self._headers[name] = value
        return self

    def with_basic_credentials(self, username: str, password: str) -> Self:
        """Send basic authentication."""
        token = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        return self.with_header("Authorization", f"Basic {token}")

    def with_method(self, method: str) -> Self:
        """Use this HTTP method."""
        self._method = method.upper()
        return self

    def with_body(self, body: str | bytes) -> Self:
        """Send this body."""
        self._body = body.encode() if isinstance(body, str) else body
        return self

    def check(self, target: WaitTarget) -> str | None:
        from http.client import HTTPException

        connection = self._connect(target)
        try:
            connection.request(self._method, self._path, body=self._body, headers=self._headers)
            response = connection.getresponse()
            body = response.read(1 << 20)
        except HTTPException as error:
            return f"last error: {type(error).__name__}: {error}"
        finally:
            connection.close()
        if not self._accepts(response.status):
            return f"last answer: {response.status} {response.reason}"
        text = body.decode("utf-8", "replace")
        if not all(predicate(text) for predicate in self._body_predicates):
            return f"last answer: {response.status}, but its body is not the one wanted: {text[:200]!r}"
        return None

    def describe(self) -> str:
        scheme = "https" if self._tls else "http"
        wanted = f" with status {', '.join(map(str, sorted(self._codes)))}" if self._codes else ""
        return f"{self._method} {scheme}://...:{self._port.container}{self._path} to be answered{wanted}"

    def _accepts(self, status: int) -> bool:
        if status in self._codes or any(predicate(status) for predicate in self._status_predicates):
            return True
        return status == 200 and not self._codes and not self._status_predicates

    def _connect(self, target: WaitTarget) -> HTTPConnection:
        import http.client

        host, port = target.get_container_host_ip(), target.get_exposed_port(self._port.key)
        if not self._tls:
            return http.client.HTTPConnection(host, port, timeout=at_most(_ONE_REQUEST))
        import ssl

        context = ssl.create_default_context()
        if not self._verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(host, port, timeout=at_most(_ONE_REQUEST), context=context)


def _checked_path(path: str) -> str:
    wrong = [character for character in path if not "!" <= character <= "~"]
    if wrong:
        raise DefinitionError(
            f"path {path!r} holds {wrong[0]!r}, which no HTTP request line may hold",
            hint="quote it, with urllib.parse.quote()",
        )
    return path
