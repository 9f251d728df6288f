"""Waiting for a listener inside."""

from __future__ import annotations

import socket

import pytest

from podjig import GenericContainer, PortWaitStrategy
from podjig.errors import PortError, WaitTimeout
from podjig.wait.port import parse_socket_table

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 291851 1 0000000000000000
   1: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 291852 1 0000000000000000
   2: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 291853 1 0000000000000000
   3: 0100007F:0050 0100007F:C351 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0000000000000000
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
"""


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        (TCP, {5432, 6379}),
        (TCP6, {80}),
        (TCP + TCP6, {80, 5432, 6379}),
        ("", set()),
        ("  sl  local_address\n", set()),
        ("garbage\n 0: x\n", set()),
    ],
)
def test_only_listeners_are_read_from_the_socket_table(text: str, ports: set[int]) -> None:
    assert parse_socket_table(text) == ports


def test_a_published_port_accepts_before_the_server_listens_and_does_not_count() -> None:
    with GenericContainer("busybox", command="sleep 600").with_exposed_ports(80).waiting_for(lambda _: True) as box:
        with socket.create_connection((box.get_container_host_ip(), box.get_exposed_port(80)), timeout=5):
            pass
        assert PortWaitStrategy(80).check(box) == "no server listens on it"
        with pytest.raises(WaitTimeout, match="waited for a server to listen on port 80 inside; no server listens"):
            PortWaitStrategy(80).with_startup_timeout(0.1).wait_until_ready(box)
        box.exec(["sh", "-c", "httpd -p 80"])
        PortWaitStrategy(80).wait_until_ready(box)


def test_a_port_need_not_be_published(box: GenericContainer) -> None:
    box.exec(["sh", "-c", "httpd -p 127.0.0.1:8123"])
    PortWaitStrategy("8123/tcp").wait_until_ready(box)


def test_published_tcp_ports_are_waited_for_by_default() -> None:
    command = ["sh", "-c", "sleep 0.4; httpd -p 80; sleep 0.2; httpd -p 81; sleep 600"]
    with GenericContainer("busybox", command=command).with_exposed_ports(80, 81, "82/udp") as box:
        assert PortWaitStrategy(81).check(box) is None


def test_a_port_that_nobody_listens_on_is_named_at_the_timeout(labels: dict[str, str]) -> None:
    container = GenericContainer("busybox", command="httpd -f -p 80").with_exposed_ports(80, 81).with_labels(labels)
    with pytest.raises(WaitTimeout, match="a server to listen on port 81 inside: no server listens on it"):
        container.with_startup_timeout(0.4).start()


def test_where_the_process_cannot_be_seen_the_container_is_asked(
    box: GenericContainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.exec(["sh", "-c", "httpd -p 8124"])
    monkeypatch.setattr("podjig.wait.port.is_process_of", lambda pid, id: False)
    assert PortWaitStrategy(8124).check(box) is None
    assert PortWaitStrategy(8125).check(box) == "no server listens on it"


@pytest.mark.parametrize(
    ("port", "says"), [(0, "0"), (65536, "65536"), ("x", "'x'"), ("53/udp", "53/udp"), (True, "T")]
)
def test_bad_ports_are_refused_at_once_and_named(port: int | str, says: str) -> None:
    with pytest.raises(PortError, match=says):
        PortWaitStrategy(port)
