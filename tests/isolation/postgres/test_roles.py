"""What a test changes on the whole server, undone before the next one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from podjig import PostgresContainer
from podjig.isolation.postgres import roles
from podjig.isolation.postgres.roles import Guard
from podjig.isolation.postgres.server import PostgresServer

MADE_BEFORE = """
CREATE ROLE app LOGIN PASSWORD 'old' CONNECTION LIMIT 7 VALID UNTIL '2099-01-01';
CREATE ROLE crew;
GRANT crew TO app WITH ADMIN OPTION;
ALTER ROLE app SET work_mem = '7MB';
ALTER ROLE app SET search_path = "$user", 'odd name', public;
CREATE DATABASE other;
ALTER DATABASE other SET work_mem = '9MB';
ALTER SYSTEM SET log_min_messages = 'warning';
"""


def a_server(image: str) -> Iterator[PostgresServer]:
    with PostgresContainer(image) as container:
        found = PostgresServer.of(container)
        with found.connect() as connection:
            for statement in MADE_BEFORE.strip().splitlines():
                connection.execute(statement.encode())
        yield found


@pytest.fixture(scope="module", params=["postgres:15", "postgres:17"])
def whole(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server to change."""
    yield from a_server(request.param)


@pytest.fixture
def admin(whole: PostgresServer) -> Iterator[psycopg.Connection[Any]]:
    """A connection; after the test the server is as it was before."""
    with whole.connect() as connection, whole.connect() as witness:
        guard = Guard(witness, undoes=False)
        before = seen(guard)
        yield connection
        connection.close()
        assert seen(guard) == before


def seen(guard: Guard) -> dict[Any, Any]:
    """Return the server's state; the lines of what ALTER SYSTEM writes come in any order."""
    state = guard.enter()
    guard.leave(state, free=lambda: None)
    return {
        key: sorted(str(value[0]).splitlines()) if key[0] == "system" else value for key, value in state.things.items()
    }


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        ("CREATE ROLE intruder SUPERUSER LOGIN PASSWORD 'x'", ["a new role ('intruder')"]),
        ("ALTER ROLE app PASSWORD 'new'", ["a changed role ('app')"]),
        ("ALTER ROLE app PASSWORD NULL", ["a changed role ('app')"]),
        ("ALTER ROLE app NOLOGIN CREATEDB CONNECTION LIMIT 1 VALID UNTIL 'infinity'", ["a changed role ('app')"]),
        (
            "ALTER ROLE app RENAME TO application",
            ["from 'app' to 'application'", "'role app'", "'role application'", "'app in crew'", "'application in"],
        ),
        (
            "DROP ROLE app",
            ["a removed membership", "a removed role ('app')", "a removed setting"],
        ),
        ("REVOKE crew FROM app", ["a removed membership ('app in crew')"]),
        ("REVOKE ADMIN OPTION FOR crew FROM app", ["a changed membership ('app in crew')"]),
        ("CREATE ROLE a; CREATE ROLE b; GRANT a TO b; GRANT crew TO a", ["('a')", "('b')", "'b in a'", "'a in crew'"]),
        ("ALTER ROLE app RESET work_mem", ["a changed setting ('role app')"]),
        ("ALTER ROLE app SET search_path = other", ["a changed setting"]),
        ("ALTER ROLE app IN DATABASE other SET work_mem = '1MB'", ["a new setting ('role app in database other')"]),
        ("ALTER ROLE ALL SET work_mem = '1MB'", ["a new setting ('all roles')"]),
        ("ALTER DATABASE other RESET ALL", ["a removed setting ('database other')"]),
        ("ALTER SYSTEM SET work_mem = '1MB'", ["a change by ALTER SYSTEM"]),
        ("ALTER SYSTEM RESET ALL", ["a change by ALTER SYSTEM"]),
        ("ALTER SYSTEM SET session_preload_libraries = 'one', 'two'", ["a change by ALTER SYSTEM"]),
        ("ALTER DATABASE other OWNER TO app", ["a changed database ('other')"]),
        ("ALTER DATABASE other IS_TEMPLATE true", ["a changed database ('other')"]),
        ("GRANT CREATE ON DATABASE other TO app; REVOKE ALL ON DATABASE other FROM PUBLIC", ["database ('other')"]),
        ("ALTER DATABASE other RENAME TO another", ["from 'other' to 'another'", "new setting", "removed setting"]),
        ("CREATE DATABASE litter", ["a new database ('litter')"]),
        ("SELECT pg_create_physical_replication_slot('eternal', true)", ["physical replication slot ('eternal')"]),
    ],
)  # fmt: skip
def test_a_change_is_undone_and_named(admin: psycopg.Connection[Any], statements: str, said: list[str]) -> None:
    guard = Guard(admin, undoes=True)
    before = guard.enter()
    for statement in statements.split("; "):
        admin.execute(statement.encode())
    told = guard.leave(before, free=lambda: None)
    for words in said:
        assert any(words in each for each in told), told
    assert not any("stays" in each for each in told), told
    assert len(told) == len(said)


def test_nothing_is_said_where_nothing_was_changed(admin: psycopg.Connection[Any]) -> None:
    guard = Guard(admin, undoes=True)
    freed: list[int] = []
    assert guard.leave(guard.enter(), free=lambda: freed.append(1)) == []
    assert freed == []


def test_a_role_goes_though_it_owns_something(whole: PostgresServer, admin: psycopg.Connection[Any]) -> None:
    guard = Guard(admin, undoes=True)
    before = guard.enter()
    admin.execute("CREATE ROLE owner")
    with whole.connect("other") as inside:
        inside.execute("CREATE TABLE owned ()")
        inside.execute("ALTER TABLE owned OWNER TO owner")
        inside.execute("GRANT CREATE ON DATABASE other TO owner")
    told = guard.leave(before, free=lambda: None)
    assert len(told) == 2, told
    assert not any("stays" in each for each in told), told
    with whole.connect("other") as inside:
        assert inside.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'owned'").fetchall() == [("test",)]
        inside.execute("DROP TABLE owned")


def test_the_old_password_works_again(whole: PostgresServer, admin: psycopg.Connection[Any]) -> None:
    guard = Guard(admin, undoes=True)
    before = guard.enter()
    admin.execute("DROP ROLE app")
    guard.leave(before, free=lambda: None)
    with psycopg.connect(host=whole.host, port=whole.port, user="app", password="old", dbname="other") as connection:
        assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)
        assert connection.execute("SHOW search_path").fetchone() == ('"$user", "odd name", public',)


def test_what_cannot_be_brought_back_is_said(whole: PostgresServer) -> None:
    with whole.connect() as connection:
        connection.execute("CREATE DATABASE dear")
        guard = Guard(connection, undoes=True)
        before = guard.enter()
        connection.execute("DROP DATABASE dear")
        (told,) = guard.leave(before, free=lambda: None)
        assert told == (
            "a removed database ('dear') of the whole server, which stays: a dropped database cannot be brought back"
        )


def test_on_a_server_of_others_nothing_is_touched(whole: PostgresServer) -> None:
    with whole.connect() as connection:
        guard = Guard(connection, undoes=False)
        before = guard.enter()
        connection.execute("CREATE ROLE theirs")
        (told,) = guard.leave(before, free=lambda: None)
        assert told.endswith("which stays: others may use it too")
        connection.execute("DROP ROLE theirs")


def test_what_a_fixture_made_before_the_test_stays(whole: PostgresServer, admin: psycopg.Connection[Any]) -> None:
    guard = Guard(admin, undoes=True)
    outer = guard.enter()
    admin.execute("CREATE ROLE of_the_module")
    inner = guard.enter()
    admin.execute("CREATE ROLE of_the_test")
    assert [each.split(" of the")[0] for each in guard.leave(inner, free=lambda: None)] == [
        "a new role ('of_the_test')"
    ]
    assert [each.split(" of the")[0] for each in guard.leave(outer, free=lambda: None)] == [
        "a new role ('of_the_module')"
    ]


def test_a_new_database_stays_where_another_process_may_have_made_it(
    whole: PostgresServer, admin: psycopg.Connection[Any]
) -> None:
    guard = Guard(admin, undoes=True, shared=True)
    before = guard.enter()
    admin.execute("CREATE DATABASE somebodys")
    admin.execute("CREATE ROLE mine")
    told = guard.leave(before, free=lambda: None)
    assert told == [
        "a new database ('somebodys') of the whole server, which stays: it may be another process's",
        "a new role ('mine') of the whole server",
    ]
    assert admin.execute("SELECT count(*) FROM pg_database WHERE datname = 'somebodys'").fetchone() == (1,)
    admin.execute("DROP DATABASE somebodys")


def test_a_worker_that_comes_while_a_test_runs_keeps_its_part_of_the_server() -> None:
    with PostgresContainer("postgres:17") as container:
        other = container.clone().attach(container.id)
        with PostgresServer.of(container).connect() as connection:
            guard = Guard(connection, undoes=True, shared=True)
            before = guard.enter()
            other.partition("gw1")
            assert guard.leave(before, free=lambda: None) == []
            found = connection.execute("SELECT datname FROM pg_database WHERE datname = 'test_gw1'").fetchall()
            assert found == [("test_gw1",)]


def test_another_processs_test_keeps_its_role_until_it_ends(
    whole: PostgresServer, admin: psycopg.Connection[Any]
) -> None:
    with whole.connect() as others:
        mine, theirs = Guard(admin, undoes=True), Guard(others, undoes=True)
        before, theirs_before = mine.enter(), theirs.enter()
        others.execute("CREATE ROLE theirs")
        admin.execute("CREATE ROLE mine")
        told: list[str] = []
        thread = threading.Thread(target=lambda: told.extend(mine.leave(before, free=lambda: None)))
        thread.start()
        time.sleep(0.3)
        seen = others.execute("SELECT rolname FROM pg_roles WHERE rolname IN ('mine', 'theirs') ORDER BY 1").fetchall()
        assert seen == [("mine",), ("theirs",)], "nothing is undone while the other's test runs"
        theirs_told = theirs.leave(theirs_before, free=lambda: None)
        thread.join(10)
        assert not thread.is_alive()
        assert sorted(told) == sorted(theirs_told)
        assert not any("stays" in each for each in told)
        assert all(each.endswith("of the whole server, by this test or one of another process") for each in told), told


def test_what_cannot_be_undone_now_is_undone_later(
    whole: PostgresServer, admin: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roles, "WAIT", 0.05)
    with whole.connect() as others:
        mine, theirs = Guard(admin, undoes=True), Guard(others, undoes=True)
        before, theirs_before = mine.enter(), theirs.enter()
        admin.execute("CREATE ROLE mine")
        (told,) = mine.leave(before, free=lambda: None)
        assert told.endswith("which stays while other processes' tests run")
        theirs_told = theirs.leave(theirs_before, free=lambda: None)
        assert len(theirs_told) == 1
    before = mine.enter()
    assert mine.leave(before, free=lambda: None) == []
