"""One database for each process, one transaction for each test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import text
from sqlalchemy.exc import StatementError
from sqlalchemy.orm import Session

from podjig.errors import DefinitionError, IsolationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.databases import PostgresDatabases
from podjig.isolation.postgres.migration.choice import migration
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.postgres.template import ensure_template

SCHEMA = "CREATE TABLE person (name text PRIMARY KEY); INSERT INTO person VALUES ('eve')"


def migrate(database: PostgresDatabase) -> None:
    with database.connect() as connection:
        connection.execute(SCHEMA)


@pytest.fixture(scope="module", autouse=True)
def template(server: PostgresServer) -> None:
    """The template stays as long as the server: it is no database that a test leaves."""
    ensure_template(server, migration(migrate))


@pytest.fixture
def databases(server: PostgresServer, unchanged: None) -> Iterator[PostgresDatabases]:
    with PostgresDatabases(server, migrate=migrate, mode="rollback") as databases:
        yield databases
        assert databases.leftovers() == []


def people(connection: Any) -> list[str]:
    return [name for (name,) in connection.execute(text_of(connection, "SELECT name FROM person ORDER BY 1"))]


def text_of(connection: Any, statement: str) -> Any:
    return statement if isinstance(connection, psycopg.Connection) else text(statement)


@pytest.mark.usefixtures("databases")
class TestADatabase:
    def test_is_as_migrated_after_whatever_a_test_did(self, databases: PostgresDatabases) -> None:
        names = set()
        for _ in range(3):
            with databases.database() as database:
                names.add(database.name)
                with database.connect() as connection:
                    assert people(connection) == ["eve"]
                    connection.execute("DELETE FROM person")
                    connection.execute("CREATE TABLE more ()")
                    connection.execute("CREATE ROLE somebody")
                with database.connect() as connection:
                    assert people(connection) == []
        assert len(names) == 1

    def test_is_seen_alike_by_all_its_connections_and_its_engine(self, databases: Any) -> None:
        for _ in range(2):
            with databases.database() as database:
                engine = database.engine()
                with database.connect() as connection:
                    connection.execute("INSERT INTO person VALUES ('ada')")
                with Session(engine) as session:
                    assert people(session) == ["ada", "eve"]
                    session.execute(text("INSERT INTO person VALUES ('bob')"))
                    session.rollback()
                    session.execute(text("INSERT INTO person VALUES ('cyd')"))
                    session.commit()
                with database.connect(row_factory=dict_row, autocommit=True) as connection:
                    found = connection.execute("SELECT name FROM person WHERE name <> 'eve' ORDER BY 1")
                    assert found.fetchall() == [{"name": "ada"}, {"name": "cyd"}]

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_is_seen_alike_by_asynchronous_connections(self, databases: PostgresDatabases) -> None:
        for _ in range(2):
            with databases.database() as database:
                with database.connect() as connection:
                    connection.execute("INSERT INTO person VALUES ('ada')")
                async with await database.aconnect(row_factory=dict_row) as mine:
                    found = await (await mine.execute("SELECT name FROM person ORDER BY 1")).fetchall()
                    assert [row["name"] for row in found] == ["ada", "eve"]
                    await mine.execute("INSERT INTO person VALUES ('bob')")
                    await mine.rollback()
                    async with mine.transaction():
                        await mine.execute("INSERT INTO person VALUES ('cyd')")
                with database.connect() as connection:
                    assert people(connection) == ["ada", "cyd", "eve"]

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_refuses_a_synchronous_statement_amid_asynchronous_ones(self, databases: PostgresDatabases) -> None:
        with databases.database() as database:
            one, other = [await database.aconnect(autocommit=True) for _ in range(2)]
            late = [asyncio.create_task(each.execute("SELECT pg_sleep(0.2)")) for each in (one, other)]
            await asyncio.sleep(0.05)
            refused = database.connect()
            with pytest.raises(IsolationError, match="another connection is under"):
                refused.execute("SELECT 1")
            await asyncio.gather(*late)
            with database.connect() as connection:
                assert people(connection) == ["eve"]

    def test_does_not_let_an_engine_outlive_its_test_however_often_it_is_asked_for(self, databases: Any) -> None:
        for _ in range(2):
            with databases.database() as database:
                engine = database.engine()
                session = Session(engine)
                assert people(session) == ["eve"]
                assert database.engine() is engine
            with databases.database(), pytest.raises(StatementError, match="a test that is over"):
                people(session)
            session.close()

    def test_does_not_let_handlers_outlive_their_test(self, databases: PostgresDatabases) -> None:
        heard: list[str] = []
        notice = "DO $$ BEGIN RAISE NOTICE 'hello'; END $$"
        for _ in range(2):
            with databases.database() as database, database.connect() as connection:
                connection.execute(notice)
                connection.add_notice_handler(lambda diagnostic: heard.append(str(diagnostic.message_primary)))
                connection.add_notify_handler(print)
                connection.execute(notice)
        assert heard == ["hello", "hello"]

    def test_has_no_url(self, databases: PostgresDatabases) -> None:
        with databases.database() as database:
            for what in ("url", "dsn"):
                with pytest.raises(IsolationError, match=r"no URL in the mode 'rollback'.*\n.*mode='pool'"):
                    getattr(database, what)

    def test_cannot_be_connected_to_with_other_parameters(self, databases: PostgresDatabases) -> None:
        with databases.database() as database, pytest.raises(DefinitionError, match="application_name"):
            database.connect(application_name="mine")

    def test_that_was_given_back_gives_nothing_out(self, databases: PostgresDatabases) -> None:
        with databases.database() as database:
            connection = database.connect()
        with pytest.raises(IsolationError, match="given back"):
            database.connect()
        with pytest.raises((IsolationError, psycopg.Error)):
            connection.execute("SELECT 1")

    def test_is_another_where_two_are_wanted_at_once(self, databases: PostgresDatabases) -> None:
        with databases.database() as one, databases.database() as other:
            assert one.name != other.name
            with one.connect() as connection:
                connection.execute("DELETE FROM person")
            with other.connect() as connection:
                assert people(connection) == ["eve"]

    def test_is_another_after_its_server_process_ended(
        self, databases: PostgresDatabases, server: PostgresServer
    ) -> None:
        for _ in range(2):
            with databases.database() as database:
                connection = database.connect()
                assert people(connection) == ["eve"]
                with server.connect() as other:
                    other.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))


def test_a_transaction_ended_by_sql_fails_and_its_database_is_not_used_again(
    server: PostgresServer, unchanged: None
) -> None:
    with PostgresDatabases(server, migrate=migrate, mode="rollback") as databases:
        first = databases.acquire("test_of_mine")
        with first.connect() as connection:
            connection.execute("DELETE FROM person")
            connection.execute("COMMIT")
            connection.close()
        with pytest.raises(IsolationError, match=r"COMMIT.* sent as SQL"):
            databases.release(first)
        with databases.database() as second, second.connect() as connection:
            assert second.name != first.name
            assert people(connection) == ["eve"]


def test_a_clone_that_refuses_connections_is_not_left_and_the_error_is_ours(
    server: PostgresServer, unchanged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: PostgresServer, dbname: str | None = None, **parameters: Any) -> Any:
        return connect(self, dbname, **parameters, **({"options": "-c nonsense=1"} if dbname else {}))

    connect = PostgresServer.connect
    with PostgresDatabases(server, migrate=migrate, mode="rollback") as databases:
        monkeypatch.setattr(PostgresServer, "connect", refuse)
        with pytest.raises(IsolationError, match="nonsense"):
            databases.acquire()
        monkeypatch.undo()


def test_what_is_kept_can_be_looked_at(server: PostgresServer) -> None:
    with PostgresDatabases(server, migrate=migrate, mode="rollback") as databases:
        state = databases.acquire("test_that_failed")
        with state.connect() as connection:
            connection.execute("INSERT INTO person VALUES ('ada')")
        databases.release(state, keep=True)
        with databases.database() as database, database.connect() as connection:
            assert people(connection) == ["eve"]
    with server.connect(state.name) as connection:
        assert people(connection) == ["ada", "eve"]
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE {state.name} WITH (FORCE)".encode())


def test_what_was_committed_before_a_failed_transaction_is_kept(server: PostgresServer) -> None:
    with PostgresDatabases(server, migrate=migrate, mode="rollback") as databases:
        state = databases.acquire("test_that_failed")
        connection = state.connect()
        connection.execute("INSERT INTO person VALUES ('ada')")
        connection.commit()
        connection.execute("INSERT INTO person VALUES ('bob')")
        with pytest.raises(psycopg.errors.UndefinedTable):
            connection.execute("SELECT * FROM nothing_of_this_name")
        databases.release(state, keep=True)
    with server.connect(state.name) as looking:
        assert people(looking) == ["ada", "eve"]
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {state.name} WITH (FORCE)".encode())


def test_what_cannot_be_committed_is_told(server: PostgresServer) -> None:
    with PostgresDatabases(server, migrate=migrate, mode="rollback") as databases:
        state = databases.acquire("test_that_failed")
        connection = state.connect()
        connection.execute("ALTER TABLE person ADD boss text REFERENCES person DEFERRABLE INITIALLY DEFERRED")
        connection.execute("INSERT INTO person VALUES ('ada', 'nobody')")
        databases.release(state, keep=True)
        (left,) = databases.leftovers()
        assert "cannot be committed" in left.what
        assert "violates foreign key constraint" in left.what
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {state.name} WITH (FORCE)".encode())


def test_a_forked_child_has_a_database_of_its_own(databases: PostgresDatabases) -> None:
    with databases.database() as database:
        connection = database.connect()
        connection.execute("DELETE FROM person")
        child = os.fork()
        if child == 0:
            code = 1
            try:
                with databases.database() as own, own.connect() as other:
                    code = 0 if own.name != database.name and people(other) == ["eve"] else 2
                databases.close()
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert people(connection) == []
