"""The application by its test client: on a database of its own for each test, or rolled back."""

import pytest
from sqlalchemy import create_engine
from todo import create_app
from todo.models import Base

from podjig import PostgresContainer, container_fixture, postgres_database, rollback

pg = container_fixture(PostgresContainer("postgres:16"))

database = postgres_database("pg", migrate=Base.metadata)
run_database = postgres_database("pg", migrate=Base.metadata, scope="session")


@pytest.fixture(scope="session")
def run_engine(run_database):
    engine = create_engine(run_database.url)
    yield engine
    engine.dispose()


@pytest.fixture
def pooled(database):
    app = create_app(database.url)
    yield app.test_client()
    app.extensions["engine"].dispose()


@pytest.fixture
def rolled_back(run_engine):
    with rollback(run_engine) as engine:
        yield create_app(engine).test_client()


@pytest.fixture(params=["pooled", "rolled_back"])
def client(request):
    return request.getfixturevalue(request.param)
