"""Finding a server, whatever it is given as."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, text

from podjig import Pod, PostgresContainer
from podjig.errors import DefinitionError, IsolationError, NotStartedError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.server import PostgresServer


def test_it_answers(each_server: PostgresServer) -> None:
    with each_server.connect() as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (each_server.dbname,)


def test_a_container_is_reached_through_its_unix_socket(each_server: PostgresServer) -> None:
    assert each_server.socket.startswith("/proc/")
    with each_server.connect() as connection:
        assert connection.execute("SELECT inet_server_addr()").fetchone() == (None,)


def test_its_urls_are_by_host_and_port_and_work_whatever_the_password(each_server: PostgresServer) -> None:
    url = each_server.url(each_server.dbname)
    assert f"@localhost:{each_server.port}/" in url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (each_server.user,)
    engine = create_engine(each_server.url(each_server.dbname, "psycopg"))
    with engine.connect() as alchemy:
        assert alchemy.execute(text("SELECT current_database()")).scalar() == each_server.dbname
    engine.dispose()


def test_a_url_is_a_server_too_and_so_is_a_server(old_server: PostgresServer) -> None:
    for driver in (None, "psycopg2", "asyncpg"):
        found = PostgresServer.of(old_server.url(old_server.dbname, driver))
        with found.connect() as connection:
            assert connection.execute("SELECT current_user").fetchone() == (old_server.user,)
        assert (found.socket, found.container) == ("", "")
        assert PostgresServer.of(found) is found


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://", ("localhost", 5432, "postgres", "", "postgres")),
        ("postgres://ada@db.test", ("db.test", 5432, "ada", "", "ada")),
        ("postgresql+psycopg://a%20b:p%40%2F@[::1]:5433/my%20db", ("::1", 5433, "a b", "p@/", "my db")),
        ("postgresql://ada@/shop?host=/run/postgresql&port=5433", ("/run/postgresql", 5433, "ada", "", "shop")),
    ],
)
def test_what_a_url_leaves_out(url: str, expected: tuple[Any, ...]) -> None:
    found = PostgresServer.of(url)
    assert (found.host, found.port, found.user, found.password, found.dbname) == expected
    again = PostgresServer.of(found.url(found.dbname))
    assert again == found, "its own URL must lead back to it"


def test_the_options_of_a_url_are_kept() -> None:
    found = PostgresServer.of("postgresql://ada@db.test/shop?sslmode=require&connect_timeout=3")
    assert found.parameters("x")["sslmode"] == "require"
    assert found.url("x") == "postgresql://ada@db.test:5432/x?connect_timeout=3&sslmode=require"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "None is no PostgreSQL server"),
        (5432, "5432 is no PostgreSQL server"),
        ("", "'' is no PostgreSQL server"),
        ("mysql://root:secret@localhost/x", "'mysql://root:***@localhost/x' is no"),
        ("postgresql://ada:secret@localhost:port/x", "'postgresql://ada:***@localhost:port/x'"),
        ("postgresql://ada:secret@localhost/x?colour=red", "invalid URI query parameter"),
        ("postgresql://ada:secret@one,two/x", "several servers"),
    ],
)
def test_what_is_no_server_is_refused_without_telling_its_password(value: Any, says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        PostgresServer.of(value)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.hint


def test_a_container_must_run() -> None:
    with pytest.raises(NotStartedError):
        PostgresServer.of(PostgresContainer("postgres:17"))


def test_a_password_is_not_shown(server: PostgresServer, old_server: PostgresServer) -> None:
    assert "wörd" not in repr(old_server)
    assert "password" not in repr(PostgresDatabase(server, "x"))


def test_a_refusal_says_which_server_and_database(server: PostgresServer) -> None:
    with pytest.raises(IsolationError, match="database 'nowhere' of PostgreSQL in container") as caught:
        server.connect("nowhere")
    assert "does not exist" in caught.value.message
    assert server.container in caught.value.hint


def test_a_url_where_nothing_answers_says_so() -> None:
    with pytest.raises(IsolationError, match="PostgreSQL at localhost:1"):
        PostgresServer.of("postgresql://localhost:1/x").connect()


def test_in_a_pod_and_with_another_port_inside() -> None:
    first, second = PostgresContainer("postgres:17"), PostgresContainer("postgres:17").with_port(5433)
    with Pod(first, second):
        servers = [PostgresServer.of(each) for each in (first, second)]
        ports = []
        for server in servers:
            assert server.socket
            with server.connect() as connection, psycopg.connect(server.url(server.dbname)) as outside:
                row = connection.execute("SHOW port").fetchone()
                assert outside.execute("SHOW port").fetchone() == row
                assert row is not None
                ports.append(row[0])
    assert ports == ["5432", "5433"]


def test_without_a_socket_that_can_be_used_the_port_serves() -> None:
    with PostgresContainer("postgres:17") as pg:
        reject = 'sed -i "s/^local .*/local all all reject/" "$PGDATA/pg_hba.conf" && kill -HUP 1'
        assert pg.exec(["sh", "-c", reject]).exit_code == 0
        closed = PostgresServer.of(pg)
        pg.exec(["sh", "-c", "rm /var/run/postgresql/.s.PGSQL.5432"])
        hidden = PostgresServer.of(pg)
        for server in (closed, hidden):
            assert server.socket == ""
            with server.connect() as connection:
                assert connection.execute("SELECT inet_server_addr() IS NULL").fetchone() == (False,)
