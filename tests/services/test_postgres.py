"""PostgreSQL."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from podjig import PostgresContainer
from podjig.errors import ContainerExited, DefinitionError, NotStartedError, PortError
from podjig.services.postgres import DRIVERS

USER, PASSWORD, DATABASE = "üser @:/?#[]%+ x", "p@ss:/?#[]%&+ wörd'\"", "my db/ä?%"


def ask(pg: PostgresContainer, query: str) -> Any:
    """Return the first value that a query gives, through the plain URL."""
    with psycopg.connect(pg.get_connection_url(driver=None)) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def setting(pg: PostgresContainer, name: str) -> str:
    return str(ask(pg, f"SHOW {name}"))


@pytest.fixture(scope="module", params=["postgres:15", "postgres:17"])
def pg(request: pytest.FixtureRequest) -> Iterator[PostgresContainer]:
    with PostgresContainer(request.param) as started:
        yield started


@pytest.fixture(scope="module")
def changed() -> Iterator[PostgresContainer]:
    """A server with about everything changed."""
    container = PostgresContainer("postgres:17", 5433, USER, PASSWORD, DATABASE, driver="psycopg")
    with container.with_server_settings(max_connections=17, work_mem="7MB", fsync="on") as started:
        yield started


# The URL


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_url_for_each_driver(pg: PostgresContainer, driver: str) -> None:
    port = pg.get_exposed_port(5432)
    assert pg.get_connection_url(driver=driver) == f"postgresql+{driver}://test:test@localhost:{port}/test"


def test_the_url_for_psycopg2_unless_told_otherwise_and_a_plain_one(pg: PostgresContainer) -> None:
    port = pg.get_exposed_port(5432)
    assert pg.get_connection_url() == f"postgresql+psycopg2://test:test@localhost:{port}/test"
    assert pg.get_connection_url(driver=None) == f"postgresql://test:test@localhost:{port}/test"
    assert pg.get_connection_url(host="db.test") == f"postgresql+psycopg2://test:test@db.test:{port}/test"


def test_the_containers_own_driver_and_quoted_characters(changed: PostgresContainer) -> None:
    url = changed.get_connection_url()
    assert url.startswith("postgresql+psycopg://%C3%BCser%20%40%3A%2F")
    parsed = make_url(url)
    assert (parsed.username, parsed.password) == (USER, PASSWORD)
    assert parsed.port == changed.get_exposed_port(5433)
    assert PostgresContainer(driver=None).driver is None


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_sqlalchemy_connects_through_it(pg: PostgresContainer, changed: PostgresContainer, driver: str) -> None:
    for container, who in ((pg, ("test", "test")), (changed, (USER, DATABASE))):
        engine = create_engine(container.get_connection_url(driver=driver))
        with engine.connect() as connection:
            assert connection.execute(text("SELECT current_user, current_database()")).one() == who
        engine.dispose()


def test_libpq_connects_through_the_plain_one(changed: PostgresContainer) -> None:
    assert ask(changed, "SELECT current_user") == USER


def test_before_the_start_there_is_no_url() -> None:
    with pytest.raises(NotStartedError):
        PostgresContainer("postgres:17").get_connection_url()


# The server


def test_the_major_version_is_the_images(pg: PostgresContainer) -> None:
    assert setting(pg, "server_version").split(".")[0] == pg.image.partition(":")[2]


def test_a_wrong_password_is_refused(pg: PostgresContainer) -> None:
    url = pg.get_connection_url(driver=None).replace(":test@", ":wrong@")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url).close()


def test_it_runs_for_tests_by_default(pg: PostgresContainer) -> None:
    assert [setting(pg, name) for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["off"] * 3
    assert b"tmpfs" in pg.exec(["sh", "-c", 'grep " $PGDATA " /proc/mounts']).stdout


def test_settings_are_in_force_and_win_over_the_test_profile(changed: PostgresContainer) -> None:
    assert [setting(changed, name) for name in ("max_connections", "work_mem", "fsync")] == ["17", "7MB", "on"]
    assert setting(changed, "synchronous_commit") == "off"


def test_another_port(changed: PostgresContainer) -> None:
    assert setting(changed, "port") == "5433"
    with pytest.raises(PortError, match="5432"):
        changed.get_exposed_port(5432)


def test_durable_is_as_the_image_would() -> None:
    with PostgresContainer("postgres:17", durable=True).with_server_settings(work_mem="8MB") as pg:
        names = ("fsync", "synchronous_commit", "full_page_writes", "checkpoint_timeout", "work_mem")
        assert [setting(pg, name) for name in names] == ["on", "on", "on", "5min", "8MB"]
        assert b"tmpfs" not in pg.exec(["sh", "-c", 'grep " $PGDATA " /proc/mounts']).stdout


@pytest.mark.parametrize(
    "command",
    ["postgres -c max_connections=7 -c fsync=on", "-c max_connections=7 -c fsync=on"],
    ids=["whole", "options"],
)
def test_a_users_own_command_wins(command: str) -> None:
    with PostgresContainer("postgres:17").with_command(command) as pg:
        assert [setting(pg, name) for name in ("max_connections", "fsync", "full_page_writes")] == ["7", "on", "off"]


def test_the_images_variables_are_the_arguments_of_that_name() -> None:
    container = (
        PostgresContainer("postgres:17", env={"POSTGRES_USER": "ada"})
        .with_env("POSTGRES_PASSWORD", 1815)
        .with_envs(POSTGRES_DB="engine", TZ="Europe/London", POSTGRES_INITDB_ARGS="--data-checksums")
    )
    assert (container.username, container.password, container.dbname) == ("ada", "1815", "engine")
    with container as pg:
        assert "://ada:1815@" in pg.get_connection_url()
        assert ask(pg, "SELECT current_user || ' ' || current_database()") == "ada engine"
        assert setting(pg, "data_checksums") == "on"
        assert setting(pg, "TimeZone") == "Europe/London"


@pytest.mark.parametrize("time", range(5))
def test_ready_means_that_the_first_connect_works(time: int) -> None:
    image = ("postgres:15", "postgres:17")[time % 2]
    with PostgresContainer(image) as pg:
        assert ask(pg, "SELECT 1") == 1
        assert b"database system is shut down" not in pg.logs(tail=2).encode()


# Init scripts


def test_init_scripts_run_in_the_order_given(tmp_path: Path) -> None:
    (tmp_path / "z.sql").write_text("CREATE TABLE steps (n serial, who text);", encoding="utf-8")
    (tmp_path / "a.sql.gz").write_bytes(gzip.compress("INSERT INTO steps (who) VALUES ('gz ä');".encode()))
    (tmp_path / "same.sql").write_text("INSERT INTO steps (who) VALUES ('sql');", encoding="utf-8")
    (tmp_path / "m.sh").write_text(
        '#!/bin/sh\npsql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" '
        "-c \"INSERT INTO steps (who) VALUES ('sh')\"",
        encoding="utf-8",
    )
    (tmp_path / "link.sql").symlink_to(tmp_path / "same.sql")
    container = PostgresContainer("postgres:17")
    for name in ("z.sql", "a.sql.gz", "m.sh", "same.sql", "link.sql"):
        container.with_init_script(tmp_path / name)
    with container as pg:
        assert ask(pg, "SELECT string_agg(who, ',' ORDER BY n) FROM steps") == "gz ä,sh,sql,sql"


def test_a_failing_init_script_is_told_with_the_servers_words(tmp_path: Path, labels: dict[str, str]) -> None:
    (tmp_path / "bad.sql").write_text("SELECT 1;\nCREATE TABEL oops (n int);", encoding="utf-8")
    container = PostgresContainer("postgres:17").with_init_script(tmp_path / "bad.sql").with_labels(labels)
    with pytest.raises(ContainerExited) as caught:
        container.start()
    assert caught.value.exit_code != 0
    assert 'syntax error at or near "TABEL"' in caught.value.logs
    assert "bad.sql" in caught.value.logs


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("absent.sql", False, "absent.sql' does not exist"),
        ("notes.txt", True, "notes.txt' is of no kind"),
        ("folder.sql", None, "folder.sql' does not exist"),
    ],
)
def test_a_script_that_cannot_be_is_refused_at_once(tmp_path: Path, name: str, make: bool | None, says: str) -> None:
    if make:
        (tmp_path / name).touch()
    elif make is None:
        (tmp_path / name).mkdir()
    with pytest.raises(DefinitionError, match=says):
        PostgresContainer().with_init_script(tmp_path / name)


# What goes wrong


def test_a_crash_at_the_start_is_told_with_the_servers_words(labels: dict[str, str]) -> None:
    container = PostgresContainer("postgres:17").with_server_settings(shared_buffers="lots").with_labels(labels)
    with pytest.raises(ContainerExited) as caught:
        container.start()
    assert 'invalid value for parameter "shared_buffers": "lots"' in caught.value.logs
    assert "waited for an answer in PostgreSQL's protocol on port 5432" in caught.value.message


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: PostgresContainer(username=""), "PostgreSQL's username is ''"),
        (lambda: PostgresContainer(password=""), "PostgreSQL's password is ''"),
        (lambda: PostgresContainer(dbname=""), "PostgreSQL's dbname is ''"),
        (lambda: PostgresContainer(password=None), "PostgreSQL's password is None"),  # type: ignore[arg-type]
        (lambda: PostgresContainer().with_env("POSTGRES_PASSWORD", ""), "PostgreSQL's password is ''"),
        (lambda: PostgresContainer().with_env("POSTGRES_USER", None), "POSTGRES_USER has the value None"),  # type: ignore[arg-type]
        (lambda: PostgresContainer(driver="mysql"), "unsupported driver 'mysql'"),
        (lambda: PostgresContainer(port=70000), "70000"),
        (lambda: PostgresContainer("Post Gres"), "'Post Gres'"),
    ],
)
def test_bad_values_are_refused_at_once_and_named(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(says)) as caught:
        make()
    assert caught.value.hint


def test_an_unsupported_driver_of_a_url_is_refused(pg: PostgresContainer) -> None:
    with pytest.raises(DefinitionError, match="unsupported driver 'oracle'") as caught:
        pg.get_connection_url(driver="oracle")
    assert "psycopg2" in caught.value.hint


def test_a_clone_is_a_server_of_its_own(pg: PostgresContainer) -> None:
    with pg.clone() as twin:
        assert twin.get_exposed_port(5432) != pg.get_exposed_port(5432)
        assert ask(twin, "SELECT 1") == 1
