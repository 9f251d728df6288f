"""Migrated databases: one of its own for a test that needs one, and one for the run, on which tests are rolled back."""

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from podjig import PostgresContainer, container_fixture, postgres_database, rollback

pg = container_fixture(PostgresContainer("postgres:16"))

database = postgres_database("pg", migrate="alembic.ini")
run_database = postgres_database("pg", migrate="alembic.ini", scope="session")


@pytest.fixture(scope="session")
def run_engine(run_database):
    engine = create_engine(run_database.url)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(run_engine):
    """The application's engine: what is committed through it is gone after the test."""
    with rollback(run_engine) as engine:
        yield engine


@pytest.fixture
def session(engine):
    with Session(engine) as session:
        yield session
