from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from fake_engine import DOCKER, PODMAN, answering
from fresh_home import FreshHome
from podjig.engine.ping import PingFailed, ping

Listen = Callable[[bytes], str]


@pytest.fixture
def folder() -> Iterator[Path]:
    with FreshHome() as home:
        yield home.root


@pytest.fixture
def listen(folder: Path) -> Iterator[Listen]:
    """Answer every request on a unix socket with the given bytes."""
    with ExitStack() as stack:
        yield lambda answer: stack.enter_context(answering(answer, path=folder / "an.sock"))


def test_podman(listen: Listen) -> None:
    pong = ping(listen(PODMAN))

    assert pong.is_podman
    assert (pong.name, pong.version, pong.api_version) == ("podman", "4.3.1", "1.41")


def test_docker(listen: Listen) -> None:
    pong = ping(listen(DOCKER))

    assert not pong.is_podman
    assert (pong.name, pong.version) == ("docker", "24.0.7")


def test_over_tcp() -> None:
    with answering(PODMAN) as address:
        assert ping(address).version == "4.3.1"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "dropped without an answer"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "answered HTTP 404 Not Found"),
        (b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nhello", "not a container engine"),
    ],
)
def test_not_an_engine(listen: Listen, answer: bytes, reason: str) -> None:
    with pytest.raises(PingFailed, match=reason) as caught:
        ping(listen(answer))
    assert not caught.value.pending


def test_absent(folder: Path) -> None:
    with pytest.raises(PingFailed, match=r"^absent$"):
        ping(f"unix://{folder}/no.sock")


def test_nobody_behind_the_socket(folder: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(folder / "stale.sock"))

    with pytest.raises(PingFailed, match="connection refused"):
        ping(f"unix://{folder}/stale.sock")


@pytest.mark.skipif(os.getuid() == 0, reason="root may connect to everything")
def test_permission_denied(listen: Listen, folder: Path) -> None:
    address = listen(PODMAN)
    Path(address.removeprefix("unix://")).chmod(0)

    with pytest.raises(PingFailed, match="permission denied"):
        ping(address)


def test_silence_ends_at_the_deadline(folder: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(folder / "deaf.sock"))
        listener.listen()

        with pytest.raises(PingFailed, match=r"no answer within 0\.05 s") as caught:
            ping(f"unix://{folder}/deaf.sock", timeout=0.05)
    assert caught.value.pending


def test_path_too_long(folder: Path) -> None:
    with pytest.raises(PingFailed, match="longer than 107 bytes"):
        ping(f"unix://{folder}/{'x' * 100}.sock")


@pytest.mark.parametrize("address", ["ssh://host/path", "nonsense", "tcp://host", "tcp://host:99999", "tcp://:1"])
def test_address_of_another_kind(address: str) -> None:
    with pytest.raises(ValueError, match=r"cannot ping|must have the form"):
        ping(address)
