"""Making a database from a template."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from podjig.errors import IsolationError
from podjig.isolation.postgres.clone import clone
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.server import PostgresServer

Ask = Callable[..., list[Any]]


@pytest.fixture
def template(each_server: PostgresServer, ask: Ask) -> Iterator[str]:
    """A database with a table, to which nobody is connected."""
    ask(each_server, 'CREATE DATABASE "a template"')
    ask(each_server, "CREATE TABLE fruit AS SELECT 'fig' AS name", "a template")
    yield "a template"
    with each_server.connect() as connection:
        drop(connection, "a template")


def test_a_clone_equals_its_template_and_is_apart_from_it(each_server: PostgresServer, template: str, ask: Ask) -> None:
    with each_server.connect() as connection:
        clone(connection, template, 'the "clone"')
        ask(each_server, "INSERT INTO fruit VALUES ('date')", 'the "clone"')
        assert ask(each_server, "SELECT name FROM fruit ORDER BY 1", 'the "clone"') == ["date", "fig"]
        assert ask(each_server, "SELECT name FROM fruit", template) == ["fig"]
        assert drop(connection, 'the "clone"') == []


def test_a_template_that_is_not_there_is_named(server: PostgresServer, unchanged: None) -> None:
    with server.connect() as connection, pytest.raises(IsolationError, match="'nowhere'.*does not exist"):
        clone(connection, "nowhere", "podjig_clone")


def test_a_template_in_use_names_who_uses_it(server: PostgresServer, ask: Ask, unchanged: None) -> None:
    ask(server, "CREATE DATABASE busy")
    with server.connect() as connection:
        with server.connect("busy") as user:
            user.execute("SELECT 'the culprit'")
            with pytest.raises(IsolationError, match=rf"in use: .*pid {user.info.backend_pid}.*the culprit"):
                clone(connection, "busy", "podjig_clone")
        drop(connection, "busy")


def test_a_name_that_is_taken_is_an_error(server: PostgresServer, unchanged: None) -> None:
    with server.connect() as connection, pytest.raises(IsolationError, match="already exists"):
        clone(connection, "template1", server.dbname)
