"""Tests that need a separate database: for changes of the schema, and for several connections."""

import psycopg
import pytest

pytestmark = pytest.mark.integration


def test_the_schema_may_change(database):
    with database.connect() as connection:
        connection.execute("ALTER TABLE users ADD COLUMN age int")
        connection.execute("INSERT INTO users (username, email, age) VALUES ('testuser', 'test@example.com', 42)")


def test_other_connections_see_what_is_committed(database):
    with database.connect() as one, psycopg.connect(database.dsn) as other:
        assert other.execute("SELECT * FROM users").fetchall() == []
        one.execute("INSERT INTO users (username, email) VALUES ('testuser', 'test@example.com')")
        one.commit()
        assert other.execute("SELECT username, email FROM users").fetchall() == [("testuser", "test@example.com")]
