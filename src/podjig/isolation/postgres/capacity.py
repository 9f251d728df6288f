"""Whether a server admits as many connections as its users will need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from podjig.errors import IsolationError

if TYPE_CHECKING:
    from psycopg import Connection

FOR_A_TEST = 2
"""Connections that one test may well have at once: its own, and that of the application under test."""


def check_capacity(
    connection: Connection[Any], *, workers: int, ours: int, of_a_test: int = FOR_A_TEST, shared: int = 0
) -> None:
    """Make sure that a server admits enough connections.

    Args:
        connection: To the server.
        workers: Test processes that share it.
        ours: Connections that podjig has for each of them.
        of_a_test: ... and a test besides.
        shared: ... and for all of them together.

    Raises:
        IsolationError: It does not; the message has the sum.
    """
    row = connection.execute(
        "SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int,"
        " coalesce(current_setting('reserved_connections', true)::int, 0)"
    ).fetchone()
    assert row is not None
    most, *reserved = row
    needed = workers * (ours + of_a_test) + shared
    if needed > most - sum(reserved):
        raise IsolationError(
            f"the PostgreSQL server admits {most} connections, of which {sum(reserved)} are reserved, but {needed} may"
            f" be needed: {workers} x ({ours} of podjig + {of_a_test} of a test) + {shared}",
            hint=f"with_server_settings(max_connections={max(100, needed + sum(reserved))}), or fewer workers (-n)",
        )
