"""What rollback() takes back, and that the code under test cannot tell the difference."""

# ruff: noqa: PT012  blocks that end in an exception are what is tested

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import psycopg2
import pytest
from sqlalchemy import Engine, ForeignKey, create_engine, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, scoped_session, sessionmaker

from podjig.errors import DefinitionError, IsolationError
from podjig.isolation.postgres.rollback import rollback
from podjig.isolation.postgres.server import PostgresServer

Names = Callable[[], list[str]]

SCHEMA = """
    CREATE TABLE person (name text PRIMARY KEY);
    CREATE TABLE pet (name text PRIMARY KEY, owner text REFERENCES person DEFERRABLE INITIALLY DEFERRED);
"""


class Base(DeclarativeBase):
    pass


class Person(Base):
    __tablename__ = "person"
    name: Mapped[str] = mapped_column(primary_key=True)


class Pet(Base):
    __tablename__ = "pet"
    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str] = mapped_column(ForeignKey("person.name"))


@pytest.fixture(scope="module")
def dbname(server: PostgresServer) -> Iterator[str]:
    """A database with two tables, for this module."""
    name = "rollback_of_everything"
    with server.connect() as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    with server.connect(name) as connection:
        connection.execute(SCHEMA.encode())
    yield name
    with server.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture(autouse=True)
def names(server: PostgresServer, dbname: str) -> Iterator[Names]:
    """Look at the table from outside; nothing may have been kept at the end."""

    def look() -> list[str]:
        with server.connect(dbname) as connection:
            return [name for (name,) in connection.execute("SELECT name FROM person ORDER BY 1")]

    yield look
    left = look()
    with server.connect(dbname) as connection:
        connection.execute("TRUNCATE person, pet")
    assert left == [], "something was kept"


@pytest.fixture
def connection(server: PostgresServer, dbname: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(**server.parameters(dbname)) as connection:
        yield connection


@pytest.fixture(params=["psycopg", "psycopg2"])
def engine(request: pytest.FixtureRequest, server: PostgresServer, dbname: str) -> Iterator[Engine]:
    engine = create_engine(server.url(dbname, request.param))
    yield engine
    engine.dispose()


def add(connection: Any, *names: str) -> None:
    for name in names:
        connection.execute("INSERT INTO person VALUES (%s)", (name,))


def people(connection: Any) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM person ORDER BY 1")]


class TestAPsycopgConnection:
    def test_keeps_nothing_of_what_was_committed(self, connection: psycopg.Connection[Any], names: Names) -> None:
        with rollback(connection) as it:
            add(it, "ada")
            it.commit()
            assert people(it) == ["ada"]
            assert names() == []
        assert people(connection) == []

    def test_is_a_psycopg_connection(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            assert isinstance(it, psycopg.Connection)

    def test_rolls_back_to_the_last_commit(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            add(it, "ada")
            it.commit()
            add(it, "bob")
            it.rollback()
            assert people(it) == ["ada"]

    def test_can_go_on_after_a_failed_statement_and_a_rollback(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            add(it, "ada")
            it.commit()
            add(it, "bob")
            with pytest.raises(psycopg.errors.UniqueViolation):
                add(it, "ada")
            with pytest.raises(psycopg.errors.InFailedSqlTransaction):
                people(it)
            it.rollback()
            assert people(it) == ["ada"]

    def test_loses_a_failed_transaction_at_commit(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            add(it, "ada")
            with pytest.raises(psycopg.errors.UniqueViolation):
                add(it, "ada")
            it.commit()
            assert people(it) == []

    def test_commits_at_the_end_of_a_with_block_and_closes(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            with it as same:
                add(same, "ada")
            assert it.closed
            with pytest.raises(psycopg.OperationalError, match="the connection is closed"):
                people(it)
        assert not connection.closed

    def test_rolls_back_at_the_end_of_a_failing_with_block(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            with pytest.raises(ZeroDivisionError), it.transaction():
                add(it, "ada")
                raise ZeroDivisionError
            assert people(it) == []

    def test_has_transaction_blocks_that_commit(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            with it.transaction():
                add(it, "ada")
                with pytest.raises(psycopg.errors.UniqueViolation), it.transaction():
                    add(it, "bob", "ada")
                with it.transaction() as inner:
                    add(it, "cyd")
                    raise psycopg.Rollback(inner)
            it.rollback()
            assert people(it) == ["ada"]

    def test_begins_a_block_inside_an_open_transaction_as_a_savepoint(
        self, connection: psycopg.Connection[Any]
    ) -> None:
        with rollback(connection) as it:
            add(it, "ada")
            with it.transaction():
                add(it, "bob")
            it.rollback()
            assert people(it) == []

    def test_refuses_to_commit_inside_a_block(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it, it.transaction(), pytest.raises(psycopg.ProgrammingError, match="forbidden"):
            it.commit()

    def test_in_autocommit_loses_only_the_failed_statement(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            it.autocommit = True
            add(it, "ada")
            with pytest.raises(psycopg.errors.UniqueViolation):
                add(it, "ada")
            add(it, "bob")
            it.rollback()
            assert people(it) == ["ada", "bob"]
            with it.transaction():
                add(it, "cyd")
            with pytest.raises(ZeroDivisionError), it.transaction():
                add(it, "dan")
                raise ZeroDivisionError
            assert people(it) == ["ada", "bob", "cyd"]

    def test_shows_the_status_that_a_real_one_would(self, connection: psycopg.Connection[Any]) -> None:
        idle, open_ = psycopg.pq.TransactionStatus.IDLE, psycopg.pq.TransactionStatus.INTRANS
        with rollback(connection) as it:
            assert it.info.transaction_status == idle
            add(it, "ada")
            assert it.info.transaction_status == open_
            with pytest.raises(psycopg.ProgrammingError, match="autocommit"):
                it.autocommit = True
            it.commit()
            assert it.info.transaction_status == idle

    def test_checks_deferred_constraints_when_it_commits(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            for _ in range(2):
                it.execute("INSERT INTO pet VALUES ('rex', 'nobody')")
                with pytest.raises(psycopg.errors.ForeignKeyViolation):
                    it.commit()
            it.execute("INSERT INTO pet VALUES ('rex', 'ada')")
            add(it, "ada")
            it.commit()

    def test_copies_pipelines_and_named_cursors(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            with it.cursor().copy("COPY person FROM STDIN") as copy:
                copy.write_row(("ada",))
            it.commit()
            with it.pipeline():
                add(it, "bob", "cyd")
                it.commit()
                add(it, "dan")
            it.rollback()
            with it.cursor("named") as cursor:
                assert cursor.execute("SELECT name FROM person ORDER BY 1").fetchall() == [("ada",), ("bob",), ("cyd",)]

    def test_prepares_statements_again_and_again(self, connection: psycopg.Connection[Any]) -> None:
        for _ in range(3):
            with rollback(connection) as it:
                for number in range(8):
                    add(it, f"person {number}")
                it.commit()

    def test_prepares_nothing_for_the_next_test(self, connection: psycopg.Connection[Any]) -> None:
        for kind, value in (("int", 1), ("text", "one")):
            with rollback(connection) as it:
                it.execute(f"CREATE TABLE thing AS SELECT %s::{kind} AS x", (value,))
                it.commit()
                for _ in range(8):
                    assert it.execute("SELECT * FROM thing").fetchall() == [(value,)]

    def test_gives_back_settings_temporary_tables_and_locks(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it:
            it.execute("SET work_mem = '1MB'")
            it.execute("CREATE TEMP TABLE scratch ()")
            it.execute("SELECT pg_advisory_lock(1)")
            it.commit()
        assert connection.execute("SHOW work_mem").fetchone() != ("1MB",)
        assert connection.execute("SELECT to_regclass('scratch')").fetchone() == (None,)
        assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)

    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
    def test_is_rolled_back_after_whatever_exception(
        self, connection: psycopg.Connection[Any], error: type[BaseException]
    ) -> None:
        with pytest.raises(error), rollback(connection) as it:
            add(it, "ada")
            it.commit()
            raise error
        assert people(connection) == []

    @pytest.mark.parametrize("statement", ["COMMIT", "ROLLBACK", "COMMIT; BEGIN"])
    def test_says_that_it_was_ended_by_sql(
        self, connection: psycopg.Connection[Any], server: PostgresServer, dbname: str, statement: str
    ) -> None:
        with pytest.raises(IsolationError, match=r"ended by a COMMIT.*\n.*mode='pool'"), rollback(connection) as it:
            add(it, "ada")
            it.execute(statement.encode())
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with server.connect(dbname) as other:
            other.execute("DELETE FROM person")

    def test_refuses_two_phase_commit(self, connection: psycopg.Connection[Any]) -> None:
        with rollback(connection) as it, pytest.raises(IsolationError, match="two-phase"):
            it.tpc_begin("mine")

    def test_must_have_no_transaction_open(self, connection: psycopg.Connection[Any]) -> None:
        people(connection)
        with pytest.raises(DefinitionError, match="INTRANS"), rollback(connection):
            pass

    def test_whose_server_process_is_ended_keeps_nothing(
        self, connection: psycopg.Connection[Any], server: PostgresServer
    ) -> None:
        with pytest.raises(psycopg.OperationalError), rollback(connection) as it:
            add(it, "ada")
            it.commit()
            with server.connect() as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", (it.info.backend_pid,))
            people(it)


class TestAnEngine:
    def test_keeps_nothing_of_what_was_committed(self, engine: Engine, names: Names) -> None:
        with rollback(engine) as it:
            assert it is engine
            with engine.begin() as connection:
                connection.execute(text("INSERT INTO person VALUES ('ada')"))
            with Session(engine) as session:
                session.add(Person(name="bob"))
                session.commit()
            with sessionmaker(engine).begin() as session:
                session.add(Person(name="cyd"))
            with engine.connect() as connection:
                assert people_of(connection) == ["ada", "bob", "cyd"]
            assert names() == []
        with engine.connect() as connection:
            assert people_of(connection) == []

    def test_rolls_back_what_is_not_committed(self, engine: Engine) -> None:
        with rollback(engine), engine.connect() as connection:
            insert(connection, "ada")
            connection.commit()
            insert(connection, "bob")
            connection.rollback()
            insert(connection, "cyd")
            connection.close()
            with engine.connect() as other:
                assert people_of(other) == ["ada"]

    def test_goes_on_after_a_failed_flush(self, engine: Engine) -> None:
        with rollback(engine), Session(engine) as session:
            session.add(Person(name="ada"))
            session.commit()
            session.add(Person(name="bob"))
            session.flush()
            with pytest.raises(IntegrityError):
                session.execute(text("INSERT INTO person VALUES ('ada')"))
            session.rollback()
            assert people_of(session) == ["ada"]

    def test_has_nested_transactions(self, engine: Engine) -> None:
        with rollback(engine), Session(engine) as session:
            session.add(Person(name="ada"))
            with pytest.raises(IntegrityError), session.begin_nested():
                session.execute(text("INSERT INTO person VALUES ('bob'), ('bob')"))
            session.commit()
            assert people_of(session) == ["ada"]

    def test_lets_a_reader_stay_open_while_others_commit(self, engine: Engine) -> None:
        with rollback(engine):
            reader = Session(engine)
            assert people_of(reader) == []
            with Session(engine) as writer:
                writer.add(Person(name="ada"))
                writer.commit()
            reader.rollback()
            assert people_of(reader) == ["ada"]
            with Session(engine) as writer:
                writer.add(Person(name="bob"))
                writer.flush()
                writer.rollback()
            assert people_of(reader) == ["ada"]
            reader.close()
            with engine.connect() as connection:
                assert people_of(connection) == ["ada"]

    def test_lets_a_transaction_inside_another_roll_back_alone(self, engine: Engine) -> None:
        with rollback(engine), engine.connect() as outer, engine.connect() as inner:
            insert(outer, "ada")
            insert(inner, "bob")
            inner.rollback()
            assert people_of(inner) == ["ada"]
            inner.rollback()
            outer.commit()
            assert people_of(inner) == ["ada"]

    def test_is_not_aborted_by_the_failure_of_another_connection(self, engine: Engine) -> None:
        with rollback(engine), engine.connect() as one, engine.connect() as other:
            with pytest.raises(IntegrityError):
                one.execute(text("INSERT INTO person VALUES ('ada'), ('ada')"))
            insert(other, "bob")
            one.rollback()
            assert people_of(other) == ["bob"]

    def test_refuses_a_rollback_that_would_take_anothers_work(self, engine: Engine) -> None:
        with rollback(engine), engine.connect() as one, engine.connect() as other:
            insert(one, "ada")
            insert(other, "bob")
            other.commit()
            with pytest.raises(IsolationError, match=r"another one wrote since it began.*\n.*mode='pool'"):
                one.rollback()

    def test_keeps_each_statement_with_autocommit(self, engine: Engine) -> None:
        autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        with rollback(engine):
            for connecting in (
                autocommit.connect(),
                engine.connect().execution_options(isolation_level="AUTOCOMMIT"),
            ):
                with connecting as connection:
                    insert(connection, f"ada {len(people_of(connection))}")
                    with pytest.raises(IntegrityError):
                        connection.execute(text("INSERT INTO person VALUES ('bob'), ('bob')"))
            with engine.connect() as connection:
                assert people_of(connection) == ["ada 0", "ada 1"]
                insert(connection, "cyd")
            with engine.connect() as connection:
                assert people_of(connection) == ["ada 0", "ada 1"]

    def test_of_autocommit_is_one_again_afterwards(self, server: PostgresServer, dbname: str) -> None:
        engine = create_engine(server.url(dbname, "psycopg"), isolation_level="AUTOCOMMIT")
        with rollback(engine), engine.connect() as connection:
            insert(connection, "ada")
        with engine.connect() as connection:
            assert people_of(connection) == []
            driver = connection.connection.driver_connection
            assert driver is not None
            assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        engine.dispose()

    def test_checks_deferred_constraints_when_it_commits(self, engine: Engine) -> None:
        with rollback(engine), Session(engine) as session:
            session.add(Pet(name="rex", owner="nobody"))
            with pytest.raises(IntegrityError):
                session.commit()
            session.rollback()
            assert session.query(Pet).all() == []

    def test_survives_being_disposed_of_by_the_application(self, engine: Engine) -> None:
        with rollback(engine):
            with engine.begin() as connection:
                insert(connection, "ada")
            engine.dispose()
            with engine.connect() as connection:
                assert people_of(connection) == ["ada"]

    def test_takes_part_through_all_its_faces(self, engine: Engine) -> None:
        face = engine.execution_options(logging_token="mine")
        with rollback(face), engine.begin() as connection:
            insert(connection, "ada")
        with engine.connect() as connection:
            assert people_of(connection) == []

    def test_takes_its_connection_away_from_a_session_that_outlives_the_test(self, engine: Engine) -> None:
        with rollback(engine):
            late = Session(engine)
            late.add(Person(name="ada"))
            late.flush()
        with pytest.raises(StatementError, match="a test that is over"):
            people_of(late)
        late.close()

    def test_says_that_it_was_ended_by_sql(self, engine: Engine) -> None:
        with pytest.raises(IsolationError, match="ended by a COMMIT"), rollback(engine), engine.connect() as connection:
            connection.execute(text("COMMIT"))
        with engine.connect() as connection:
            assert people_of(connection) == []

    def test_refuses_two_phase_commit(self, engine: Engine) -> None:
        with rollback(engine), engine.connect() as connection, pytest.raises(IsolationError, match="two-phase"):
            connection.begin_twophase()

    def test_commits_and_rolls_back_through_the_drivers_own_connection(self, engine: Engine) -> None:
        with rollback(engine):
            raw = engine.raw_connection()
            raw.cursor().execute("INSERT INTO person VALUES ('ada')")
            raw.commit()
            cursor = raw.cursor()
            cursor.execute("INSERT INTO person VALUES ('bob')")
            raw.rollback()
            cursor.execute("INSERT INTO person VALUES ('cyd')")
            raw.commit()
            raw.close()
            with engine.connect() as connection:
                assert people_of(connection) == ["ada", "cyd"]

    def test_of_another_database_is_refused(self) -> None:
        with pytest.raises(DefinitionError, match="sqlite"), rollback(create_engine("sqlite://")):
            pass


class TestSessions:
    def test_of_a_maker_take_part(self, engine: Engine) -> None:
        make = sessionmaker(engine)
        with rollback(make) as same:
            assert same is make
            with make.begin() as session:
                session.add(Person(name="ada"))
            with make() as session:
                assert people_of(session) == ["ada"]

    @pytest.mark.parametrize("scoped", [True, False])
    def test_take_part_one_by_one(self, engine: Engine, scoped: bool) -> None:
        make = sessionmaker(engine)
        session: Any = scoped_session(make) if scoped else make()
        with rollback(session) as same:
            assert same is session
            session.add(Person(name="ada"))
            session.commit()
            assert people_of(session) == ["ada"]
        assert people_of(session) == []
        session.close()

    def test_must_have_no_transaction_open(self, engine: Engine) -> None:
        with Session(engine) as session:
            people_of(session)
            with pytest.raises(DefinitionError, match="transaction open"), rollback(session):
                pass


class TestAConnectionOfSqlalchemy:
    def test_keeps_nothing_of_what_was_committed(self, engine: Engine) -> None:
        with engine.connect() as connection:
            with rollback(connection) as same:
                assert same is connection
                insert(connection, "ada")
                connection.commit()
                with Session(connection) as session:
                    session.add(Person(name="bob"))
                    session.commit()
                    session.add(Person(name="cyd"))
                    session.flush()
                    session.rollback()
                assert people_of(connection) == ["ada", "bob"]
            assert people_of(connection) == []

    def test_must_have_no_transaction_open(self, engine: Engine) -> None:
        with engine.connect() as connection:
            people_of(connection)
            with pytest.raises(DefinitionError, match="transaction open"), rollback(connection):
                pass


def test_what_cannot_be_rolled_back_is_refused_with_what_can(server: PostgresServer, dbname: str) -> None:
    parameters = server.parameters(dbname)
    raw = psycopg2.connect(**parameters)
    for target in (raw, None, "postgresql://", sessionmaker()):
        with pytest.raises(DefinitionError, match=r"psycopg.Connection|no engine"), rollback(target):
            pass
    raw.close()


def insert(connection: Any, name: str) -> None:
    connection.execute(text("INSERT INTO person VALUES (:name)"), {"name": name})


def people_of(connection: Any) -> list[str]:
    return list(connection.execute(text("SELECT name FROM person ORDER BY 1")).scalars())
