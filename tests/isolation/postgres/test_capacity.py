"""How many connections a server admits, and how many will be needed."""

from __future__ import annotations

import pytest

from podjig.errors import IsolationError
from podjig.isolation.postgres.capacity import check_capacity
from podjig.isolation.postgres.server import PostgresServer


def test_a_server_as_it_comes_is_enough_for_sixteen_workers(each_server: PostgresServer) -> None:
    with each_server.connect() as connection:
        check_capacity(connection, workers=16, ours=3, shared=2)


def test_too_few_connections_are_said_with_the_sum_and_what_to_set(each_server: PostgresServer) -> None:
    with each_server.connect() as connection, pytest.raises(IsolationError) as caught:
        check_capacity(connection, workers=40, ours=3, shared=2)
    assert "admits 100 connections, of which 3 are reserved, but 202 may be needed" in str(caught.value)
    assert "with_server_settings(max_connections=205)" in caught.value.hint
