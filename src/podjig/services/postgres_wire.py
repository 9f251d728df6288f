"""The few words of PostgreSQL's protocol that podjig itself speaks: no driver to import, which would cost 100 ms.

Source: the PostgreSQL manual, "Frontend/Backend Protocol"; RFC 5802 and 7677 for SCRAM-SHA-256.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import socket
import struct
import unicodedata
from types import TracebackType
from typing import TYPE_CHECKING

from podjig.errors import ContainerError, ServerRefusal

if TYPE_CHECKING:
    from typing_extensions import Self

Row = tuple["str | None", ...]

_PROTOCOL = 196608  # 3.0


_ANSWER = 60.0
"""Seconds for the answer to a statement."""


class PostgresWire:
    """A connection for podjig's own use. Every statement is a transaction of its own.

    Args:
        address: Host and port.
        user: A role that may log in.
        password: Its password.
        database: The database.
        timeout: Seconds until it must have let us in.

    Raises:
        ServerRefusal: The server does not let it in.
        ContainerError: It asks for a way of authentication that is not spoken here.
        OSError: There is no server.
    """

    def __init__(
        self, address: tuple[str, int], *, user: str, password: str, database: str, timeout: float = 5.0
    ) -> None:
        self._socket = socket.create_connection(address, timeout=timeout)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = self._socket.makefile("rb")
        try:
            words = ("user", user, "database", database, "application_name", "podjig", "client_encoding", "UTF8")
            body = struct.pack("!i", _PROTOCOL) + b"".join(word.encode() + b"\0" for word in words) + b"\0"
            self._socket.sendall(struct.pack("!i", len(body) + 4) + body)
            self._authenticate(user, password)
            self._until_ready()
            self._socket.settimeout(_ANSWER)
        except BaseException:
            self.close()
            raise

    def run(self, *statements: str) -> list[list[Row]]:
        """Run statements, sent together, and return each one's rows, all values as text.

        All are run, whatever becomes of the others.

        Raises:
            ServerRefusal: One failed; the first that did.
        """
        if not statements:
            return []
        self._socket.sendall(b"".join(_message(b"Q", text.encode() + b"\0") for text in statements))
        results: list[list[Row]] = []
        failure: ServerRefusal | None = None
        for _ in statements:
            try:
                results.append(self._until_ready())
            except ServerRefusal as error:
                failure = failure or error
        if failure is not None:
            raise failure
        return results

    def rows(self, statement: str) -> list[Row]:
        """Run one statement and return its rows."""
        return self.run(statement)[0]

    def close(self) -> None:
        """End the connection. Safe to call twice."""
        self._read.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _until_ready(self) -> list[Row]:
        rows: list[Row] = []
        failure: ServerRefusal | None = None
        while True:
            try:
                kind, body = self._receive()
            except ConnectionError:
                if failure is not None:  # a fatal one: the connection ends with it
                    raise failure from None
                raise
            if kind == b"Z":
                if failure is not None:
                    raise failure
                return rows
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                failure = _refusal(body)

    def _receive(self) -> tuple[bytes, bytes]:
        head = self._read.read(5)
        if len(head) < 5:
            raise ConnectionError("the server closed the connection")
        kind, size = struct.unpack("!ci", head)
        body = self._read.read(size - 4)
        if len(body) < size - 4:
            raise ConnectionError("the server closed the connection")
        return kind, body

    def _authenticate(self, user: str, password: str) -> None:
        scram: _Scram | None = None
        while True:
            kind, body = self._receive()
            if kind == b"E":
                raise _refusal(body)
            if kind != b"R":
                raise ContainerError(f"what listens there does not speak PostgreSQL's protocol: it said {kind!r}")
            method, data = struct.unpack("!i", body[:4])[0], body[4:]
            if method == 0:
                return
            if method == 3:
                self._send_password(password.encode() + b"\0")
            elif method == 5:
                inner = hashlib.md5(password.encode() + user.encode()).hexdigest()  # noqa: S324  the protocol's choice
                outer = hashlib.md5(inner.encode() + data).hexdigest()  # noqa: S324
                self._send_password(f"md5{outer}\0".encode())
            elif method == 10 and b"SCRAM-SHA-256\0" in data:
                scram = _Scram(password)
                self._send_password(b"SCRAM-SHA-256\0" + struct.pack("!i", len(scram.first)) + scram.first)
            elif method == 11 and scram is not None:
                self._send_password(scram.final(data))
            elif method == 12 and scram is not None:
                scram.verify(data)
            else:
                raise ContainerError(
                    f"the server asks for a way of authentication (number {method}) that podjig does not speak",
                    hint="let the superuser log in by password: scram-sha-256, md5, password or trust in pg_hba.conf",
                )

    def _send_password(self, body: bytes) -> None:
        self._socket.sendall(_message(b"p", body))


class _Scram:
    """One SCRAM-SHA-256 exchange, without channel binding."""

    def __init__(self, password: str) -> None:
        self._password = unicodedata.normalize("NFKC", password).encode()
        self._nonce = base64.b64encode(os.urandom(18)).decode()
        self._bare = f"n=,r={self._nonce}"
        self._signature = b""

    @property
    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def final(self, challenge: bytes) -> bytes:
        fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
        if not fields["r"].startswith(self._nonce):
            raise ContainerError("the server's answer to the authentication is not for us")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(fields["s"]), int(fields["i"]))
        client = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c=biws,r={fields['r']}"
        message = f"{self._bare},{challenge.decode()},{without_proof}".encode()
        signature = hmac.digest(hashlib.sha256(client).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client, signature, strict=True))
        self._signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, data: bytes) -> None:
        if data != b"v=" + base64.b64encode(self._signature):
            raise ContainerError("the server does not know the password that it asked for")


def identifier(name: str) -> str:
    """Return a name as SQL quotes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL quotes it."""
    return "'" + text.replace("'", "''") + "'"


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _row(body: bytes) -> Row:
    (count,) = struct.unpack_from("!h", body)
    values: list[str | None] = []
    at = 2
    for _ in range(count):
        (size,) = struct.unpack_from("!i", body, at)
        at += 4
        values.append(None if size < 0 else body[at : at + size].decode("utf-8", "replace"))
        at += max(size, 0)
    return tuple(values)


def _refusal(body: bytes) -> ServerRefusal:
    told = {field[:1]: field[1:].decode("utf-8", "replace") for field in body.split(b"\0") if field}
    return ServerRefusal(f"PostgreSQL said: {told.get(b'M', '')}", code=told.get(b"C", ""))
