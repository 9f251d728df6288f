"""Names that PostgreSQL keeps as they are, whatever the test is called."""

from __future__ import annotations

import os
import re

import pytest

from podjig.isolation.postgres import names
from podjig.isolation.postgres.server import PostgresServer

REQUESTERS = [
    "",
    "tests/test_users.py::test_login",
    "tests/test_users.py::TestLogin::test_it[postgres:17-a::b]",
    "tests/test_größe.py::test_größe[Ünïcödé]",
    "tests/test_日本.py::test_日本語[テスト]",
    "test_" + "very_long_" * 40,
    "tests/x.py::test_quotes['\"; DROP DATABASE postgres; --]",
    "tests/x.py::test_emoji[\N{PILE OF POO}\0\n]",
    "gw0",
]


@pytest.mark.parametrize("requester", REQUESTERS, ids=range(len(REQUESTERS)))
def test_a_name_is_plain_ascii_and_within_the_servers_limit(requester: str) -> None:
    name = names.database_name(requester)
    assert re.fullmatch(r"podjig_([a-z0-9]+_)*[0-9a-f]{8}[_x][0-9]+", name), name
    assert len(name.encode()) <= 63


@pytest.mark.parametrize(
    ("requester", "hint"),
    [
        ("tests/test_users.py::test_login", "login"),
        ("tests/test_users.py::TestLogin::test_it[postgres:17-a::b]", "it_postgres_17_a_b"),
        ("tests/test_größe.py::test_größe[Ünïcödé]", "große_unicode".encode("ascii", "ignore").decode()),
        ("tests/test_日本.py::test_日本語[7]", "7"),
        ("gw0", "gw0"),
    ],
)
def test_a_name_says_who_asked(requester: str, hint: str) -> None:
    assert names.readable(requester) == hint
    assert names.database_name(requester).startswith(f"podjig_{hint}_")


def test_no_name_comes_twice_even_of_one_long_requester() -> None:
    assert len({names.database_name("test_" + "x" * 200) for _ in range(100)}) == 100


def test_a_forked_child_gives_other_names() -> None:
    before = names.process_token()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, names.process_token().encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        assert pipe.read() != before
    assert names.process_token() == before


def test_the_server_keeps_a_name_at_the_limit_as_it_is(server: PostgresServer) -> None:
    name = names.database_name("test_" + "x" * 200)
    assert len(name) == names.LIMIT
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())  # unquoted: nothing in it needs quotes
        try:
            with server.connect(name) as there:
                assert there.execute("SELECT current_database()").fetchone() == (name,)
        finally:
            connection.execute(f"DROP DATABASE {name}".encode())
