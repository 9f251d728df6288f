"""How containers do while something is wrong with them."""

from __future__ import annotations

import socket

import pytest

from podjig import GenericContainer, RedisContainer
from podjig.errors import CapabilityMissing
from podjig.network.fault import Fault
from podjig.network.namespaces import run_inside


def answers(server: RedisContainer, *, seconds: float = 5.0) -> bool:
    """Whether it answers a ping within so many seconds."""
    address = (server.get_container_host_ip(), server.get_exposed_port(6379))
    try:
        with socket.create_connection(address, timeout=seconds) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16) == b"+PONG\r\n"
    except TimeoutError:
        return False


def queues(box: GenericContainer) -> str:
    """What shapes the traffic of a container."""
    return run_inside(box.inspect().state.pid, ["tc", "qdisc", "show"], what="look at its queues")


def slowed(box: GenericContainer, rate: int) -> Fault:
    """Let a container send so many bits per second; the test is skipped where the kernel has no token buckets."""
    try:
        return box.slow_link(rate=rate)
    except CapabilityMissing as error:
        pytest.skip(f"not on this kernel: {error}")
