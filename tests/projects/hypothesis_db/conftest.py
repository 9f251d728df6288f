"""One connection for the run. What is to be clean for each example must not come from a fixture of a test's scope."""

import pytest

from podjig import PostgresContainer, container_fixture, postgres_database

pg = container_fixture(PostgresContainer("postgres:16"))
run_database = postgres_database("pg", migrate="wiki/schema.sql", scope="session")


@pytest.fixture(scope="session")
def run_connection(run_database):
    with run_database.connect() as connection:
        yield connection
