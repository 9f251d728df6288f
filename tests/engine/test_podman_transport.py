"""The way to the service when it is absent, slow, or drops connections: against a server that does so on purpose."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from podjig.engine.podman import PodmanEngine
from podjig.engine.podman.transport import Transport
from podjig.engine.podman.verbs import QUICK
from podjig.errors import (
    ContainerExited,
    EngineRequestError,
    EngineTimeout,
    EngineUnavailable,
    ImageBuildError,
    ResourceNotFound,
)
from podjig.spec import BuildSpec

Respond = Callable[[socket.socket, bytes], bool]
"""Answers one request; whether the connection stays."""


def answer(body: bytes = b"{}", status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


class Server:
    """A service on a unix socket that treats each request as a test wants."""

    def __init__(self, path: Path, respond: Respond) -> None:
        self.address = f"unix://{path}"
        self.requests: list[bytes] = []
        self.connections = 0
        self._respond = respond
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while request := _read_request(connection):
                self.requests.append(request)
                if not self._respond(connection, request):
                    return

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            if connection.fileno() >= 0:
                connection.shutdown(socket.SHUT_RDWR)


def _read_request(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        try:
            piece = connection.recv(65536)
        except OSError:
            return b""
        if not piece:
            return b""
        received += piece
    return received


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Respond], Server]]:
    servers: list[Server] = []

    def serve(respond: Respond) -> Server:
        servers.append(Server(tmp_path / f"s{len(servers)}.sock", respond))
        return servers[-1]

    yield serve
    for server in servers:
        server.close()


Serve = Callable[[Respond], Server]


def always(body: bytes = b"{}", status: str = "200 OK") -> Respond:
    def respond(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(answer(body, status))
        return True

    return respond


def ask(transport: Transport, method: str = "GET", *, deadline: float = 5) -> object:
    return transport.call(method, "_ping", what="ping", deadline=deadline).json()


def test_an_absent_socket_is_unavailable_and_says_why(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"nothing\.sock \(No such file or directory\): cannot ping"):
        ask(Transport(f"unix://{tmp_path}/nothing.sock"))


STUMBLED = [
    b'{"message": "runtime error: invalid memory address or nil pointer dereference"}',
    b'{"message": "open /proc/4711/cgroup: no such process"}',
]


@pytest.mark.parametrize("said", STUMBLED)
def test_what_changes_in_this_moment_is_looked_at_again(serve: Serve, said: bytes) -> None:
    said_first = iter([said, said])

    def respond(connection: socket.socket, _: bytes) -> bool:
        stumbles = next(said_first, b"")
        connection.sendall(answer(stumbles, "500 Internal Server Error") if stumbles else answer(b'"fine"'))
        return True

    server = serve(respond)
    assert ask(Transport(server.address)) == "fine"
    assert len(server.requests) == 3


@pytest.mark.parametrize("said", STUMBLED)
def test_what_is_to_be_done_is_not_done_again_for_that(serve: Serve, said: bytes) -> None:
    server = serve(always(said, "500 Internal Server Error"))
    with pytest.raises(EngineRequestError, match=r"cannot ping: (runtime|open)"):
        ask(Transport(server.address), "POST")
    assert len(server.requests) == 1


def test_a_dead_socket_is_unavailable(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead.sock"))
    with pytest.raises(EngineUnavailable, match="Connection refused"):
        ask(Transport(f"unix://{tmp_path}/dead.sock"))


def test_a_closed_tcp_port_is_unavailable() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(EngineUnavailable, match=f"tcp://127.0.0.1:{port}"):
        ask(Transport(f"tcp://127.0.0.1:{port}"))


def test_an_absent_service_is_revived_once_and_asked_again(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "late.sock"
    started: list[Server] = []

    def revive() -> None:
        started.append(Server(path, always(b'{"a": 1}')))

    assert ask(Transport(f"unix://{path}", revive=revive), "POST") == {"a": 1}
    assert len(started) == 1
    started[0].close()


def test_a_service_that_cannot_be_revived_is_unavailable(tmp_path: Path) -> None:
    attempts: list[int] = []
    with pytest.raises(EngineUnavailable):
        ask(Transport(f"unix://{tmp_path}/nothing.sock", revive=lambda: attempts.append(1)))
    assert attempts == [1]


def drop_first() -> Respond:
    served: list[bytes] = []

    def respond(connection: socket.socket, request: bytes) -> bool:
        served.append(request)
        if len(served) > 1:
            connection.sendall(answer(b'"second"'))
        return len(served) > 1

    return respond


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_lost_connection_is_tried_again_where_that_does_no_harm(serve: Serve, method: str) -> None:
    server = serve(drop_first())
    assert ask(Transport(server.address), method) == "second"
    assert len(server.requests) == 2


def test_a_lost_connection_is_not_tried_again_where_it_might_do_harm(serve: Serve) -> None:
    server = serve(drop_first())
    with pytest.raises(EngineUnavailable, match="was lost"):
        ask(Transport(server.address, revive=lambda: None), "POST")
    assert len(server.requests) == 1


def test_a_connection_is_kept(serve: Serve) -> None:
    server = serve(always())
    transport = Transport(server.address)
    for _ in range(5):
        ask(transport)
    assert server.connections == 1


def test_a_connection_idle_for_long_is_not_used_again(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podjig.engine.podman.transport._IDLE", 0.05)
    server = serve(always())
    transport = Transport(server.address)
    ask(transport)
    time.sleep(0.1)
    ask(transport, "POST")
    assert server.connections == 2


def test_a_connection_that_the_service_closed_is_not_used_again(serve: Serve) -> None:
    def once(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(answer())
        return False

    server = serve(once)
    transport = Transport(server.address)
    ask(transport, "POST")
    time.sleep(0.05)
    ask(transport, "POST")
    assert len(server.requests) == 2


def test_silence_is_a_timeout_that_says_what_and_how_long(serve: Serve) -> None:
    def silent(connection: socket.socket, _: bytes) -> bool:
        connection.recv(1)
        return False

    server = serve(silent)
    before = time.monotonic()
    with pytest.raises(EngineTimeout, match=r"no answer within 0\.2 s: cannot ping"):
        ask(Transport(server.address), deadline=0.2)
    assert time.monotonic() - before < QUICK, "it waited as long as for other calls"
    assert len(server.requests) == 1


def test_a_refusal_has_the_service_s_own_words(serve: Serve) -> None:
    body = b'{"cause": "no", "message": "no more locks", "response": 500}'
    with pytest.raises(EngineRequestError, match="Podman cannot ping: no more locks") as caught:
        ask(Transport(serve(always(body, "500 Internal Server Error")).address))
    assert caught.value.status == 500
    with pytest.raises(ResourceNotFound, match="plain words"):
        ask(Transport(serve(always(b"plain words", "404 Not Found")).address))


def test_a_forked_child_has_connections_of_its_own(serve: Serve) -> None:
    server = serve(always())
    transport = Transport(server.address)
    ask(transport)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if ask(transport) == {} else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    ask(transport)
    assert server.connections == 2


def test_a_stream_ends_at_once_when_it_is_closed_before_any_answer(serve: Serve) -> None:
    def silent(connection: socket.socket, _: bytes) -> bool:
        connection.recv(1)
        return False

    stream = Transport(serve(silent).address).lazy_stream("GET", "events", what="watch")
    timer = threading.Timer(0.2, stream.close)
    timer.start()
    before = time.monotonic()
    assert stream.read(None) == b""
    assert time.monotonic() - before < QUICK, "it waited for an answer"
    timer.join()


def test_a_stream_that_falls_silent_is_a_timeout(serve: Serve) -> None:
    def begin(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        connection.recv(1)
        return False

    with Transport(serve(begin).address).stream("GET", "pull", what="pull", deadline=5) as stream:
        assert stream.read(1) == b"abc"
        with pytest.raises(EngineTimeout):
            stream.read(0.1)


def test_a_stream_that_breaks_off_is_unavailable(serve: Serve) -> None:
    def begin(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc")
        return False

    stream = Transport(serve(begin).address).stream("GET", "pull", what="pull", deadline=5)
    with pytest.raises(EngineUnavailable, match="cannot pull"):
        list(stream.pieces(1))


def test_documents_are_split_wherever_pieces_end(serve: Serve) -> None:
    text = '{"stream": "é"}\n{"stream": "two"} {"error": "x"}'.encode()

    def trickle(connection: socket.socket, _: bytes) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in text:
            connection.sendall(b"1\r\n%c\r\n" % byte)
        connection.sendall(b"0\r\n\r\n")
        return True

    stream = Transport(serve(trickle).address).stream("GET", "pull", what="pull", deadline=5)
    assert list(stream.documents(5)) == [{"stream": "é"}, {"stream": "two"}, {"error": "x"}]


VANISHED = "checking if cached image exists from a previous build: getting top layer info: layer not known"


@pytest.mark.parametrize(
    ("faults", "begun"), [([VANISHED, VANISHED, ""], 3), ([VANISHED] * 9, 3), (["exit status 1"] * 9, 1)]
)
def test_a_build_that_loses_what_it_would_use_again_is_begun_anew(
    serve: Serve, tmp_path: Path, faults: list[str], begun: int
) -> None:
    (tmp_path / "Containerfile").write_text("FROM scratch")
    bodies: list[bytes] = []

    def respond(connection: socket.socket, request: bytes) -> bool:
        head, _, body = request.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += connection.recv(65536)
        fault = faults[len(bodies)]
        bodies.append(body)
        connection.sendall(answer(json.dumps({"stream": "STEP 1"}).encode() + json.dumps({"error": fault}).encode()))
        return True

    engine = PodmanEngine(serve(respond).address, origin="a test")
    output: list[str] = []
    failure = None
    try:
        output += engine.build_image(BuildSpec(context=tmp_path, tags=("localhost/x:1",)))
    except ImageBuildError as error:
        failure = error
    assert len(bodies) == begun
    assert len(set(bodies)) == 1
    assert bodies[0]
    if faults[-1]:
        assert failure is not None
        assert faults[-1] in failure.message
    else:
        assert failure is None
        assert output == ["STEP 1"] * 3


def test_a_command_that_begins_as_the_container_ends_is_not_missing(serve: Serve) -> None:
    gone = (
        "runc: exec failed: unable to create new parent process: namespace path: lstat /proc/32581/ns/ipc: no such file"
        " or directory: OCI runtime attempted to invoke a command that was not found"
    )

    def respond(connection: socket.socket, request: bytes) -> bool:
        line = request.split(b" HTTP")[0]
        if line.endswith(b"/exec"):
            connection.sendall(answer(json.dumps({"message": gone}).encode(), "500 Internal Server Error"))
        elif b"/wait" in line:
            connection.sendall(answer(b"6"))
        else:
            state = {"Status": "exited", "ExitCode": 6, "StartedAt": "2026-01-31T12:00:00Z"}
            connection.sendall(answer(json.dumps({"Id": "x", "Name": "x", "State": state}).encode()))
        return True

    with pytest.raises(ContainerExited, match="exited with code 6: cannot run 'false'"):
        PodmanEngine(serve(respond).address, origin="a test").exec("x", ["false"])
