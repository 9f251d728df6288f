"""What isolation.py measures: projects with the same tests on the same schema, each with its way to a clean state."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

BARE = "no database"
LOADED = "no database, but podjig's plugin"
ROLLBACK, TEMPLATE, POOL, TRUNCATE = (f"podjig, {mode}" for mode in ("rollback", "template", "pool", "truncate"))
ROLLBACK_ENGINE = "podjig, rollback(engine), SQLAlchemy"
BY_HAND = "rollback by hand, SQLAlchemy"
PEER = "pytest-postgresql, tmpfs"
PEER_PROFILE = "pytest-postgresql, tmpfs, podjig's settings"
REUSE = "podjig, pool, reused server"

SCHEMA = "\n".join(
    f"""
    CREATE TABLE t{number} (
        id bigserial PRIMARY KEY,
        name text NOT NULL UNIQUE,
        parent bigint {f"REFERENCES t{number - 1}" if number else ""},
        data jsonb,
        at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX ON t{number} (at);
    CREATE INDEX ON t{number} USING gin (data);
    """
    for number in range(10)
)

_PODJIG = """
from podjig import PostgresContainer, container_fixture, postgres_database
from podjig.pytest_plugin.fixtures import POSTGRES_SETTINGS

pg = container_fixture(
    PostgresContainer({image!r}, driver="psycopg")
    .with_server_settings(**POSTGRES_SETTINGS)
    .with_env("PODJIG_BENCH", {token!r})  # a definition of its own: nobody else's server is reused
)
"""

_DATABASE = (
    _PODJIG
    + """
db = postgres_database("pg", migrate="schema.sql", mode={mode!r})

@pytest.fixture
def connection(db):
    with db.connect() as connection:
        yield connection
"""
)

_ENGINE = (
    _PODJIG
    + """
from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

@pytest.fixture(scope="session")
def engine(pg):
    engine = create_engine(pg.get_connection_url())
    with engine.begin() as connection:
        connection.exec_driver_sql(Path("schema.sql").read_text())
    yield engine
    engine.dispose()
"""
)

_ROLLBACK_ENGINE = (
    _ENGINE
    + """
from podjig import rollback

@pytest.fixture
def connection(engine):
    with rollback(engine) as isolated, Session(isolated) as session:
        yield session
"""
)

_BY_HAND = (
    _ENGINE
    + """
@pytest.fixture
def connection(engine):
    connection = engine.connect()
    transaction = connection.begin()
    session = Session(bind=connection)
    nested = connection.begin_nested()

    @event.listens_for(session, "after_transaction_end")
    def restart_savepoint(session, trans):
        nonlocal nested
        if trans.nested and not trans._parent.nested:
            nested = connection.begin_nested()

    yield session
    session.close()
    transaction.rollback()
    connection.close()
"""
)

_PEER = """
from pathlib import Path

from pytest_postgresql import factories

server = factories.postgresql_proc(
    executable={pg_ctl!r},
    load=[Path("schema.sql")],
    unixsocketdir="/tmp",
    startparams="-w",
    postgres_options={options!r},
)
connection = factories.postgresql("server")
"""

_BARE = """
@pytest.fixture
def connection():
    return None
"""

_NOTHING = """
def statements(connection):
    pass
"""

_PSYCOPG = """
def statements(connection):
    connection.execute("INSERT INTO t0 (name) VALUES ('me')")
    assert connection.execute("SELECT count(*) FROM t0").fetchone() == (1,)
    connection.commit()
"""

_SQLALCHEMY = """
from sqlalchemy import text

def statements(session):
    session.execute(text("INSERT INTO t0 (name) VALUES ('me')"))
    assert session.execute(text("SELECT count(*) FROM t0")).scalar() == 1
    session.commit()
"""

_TESTS = """
import pytest
import stopwatch

@pytest.mark.parametrize("number", range({tests}))
def test_it(connection, number):
    stopwatch.body(statements, connection, {milliseconds})
"""


@dataclass(frozen=True, kw_only=True)
class Project:
    """How a contestant is run.

    Attributes:
        conftest: Its conftest.py, with places for what differs from run to run.
        statements: What its tests do with their connection.
        plugin: The pytest plugin that it needs; empty for none.
    """

    conftest: str
    statements: str = _PSYCOPG
    plugin: str = "podjig.pytest_plugin"
    options: tuple[str, ...] = ()


PROJECTS = {
    # Some module, of no effect: pytest looks for whatever -p names among all entry points, which takes milliseconds.
    BARE: Project(conftest=_BARE, statements=_NOTHING, plugin="keyword"),
    LOADED: Project(conftest=_BARE, statements=_NOTHING),
    **{
        name: Project(conftest=_DATABASE.replace("{mode!r}", repr(name.removeprefix("podjig, "))))
        for name in (ROLLBACK, TEMPLATE, POOL, TRUNCATE)
    },
    ROLLBACK_ENGINE: Project(conftest=_ROLLBACK_ENGINE, statements=_SQLALCHEMY),
    BY_HAND: Project(conftest=_BY_HAND, statements=_SQLALCHEMY),
    PEER: Project(conftest=_PEER.replace("{options!r}", "''"), plugin="pytest_postgresql.plugin"),
    PEER_PROFILE: Project(conftest=_PEER, plugin="pytest_postgresql.plugin"),
    REUSE: Project(conftest=_DATABASE.replace("{mode!r}", repr("pool")), options=("--podjig-reuse",)),
}


def write(folder: Path, project: Project, *, tests: int, milliseconds: float, **places: str) -> None:
    """Write a project into an empty folder.

    Args:
        folder: The folder; one that is there is replaced.
        project: The project.
        tests: How many tests.
        milliseconds: How long each takes by itself.
        places: What its conftest has places for.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = {
        "pytest.ini": "[pytest]\n",
        "schema.sql": SCHEMA,
        "conftest.py": f"import pytest\n{project.conftest.format_map(places)}",
        "test_it.py": project.statements + _TESTS.format(tests=tests, milliseconds=milliseconds),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
