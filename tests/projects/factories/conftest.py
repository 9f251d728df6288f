"""One database for the run; each test gets the factories' session, and leaves nothing."""

import factories
import pytest
from shop.models import Base
from sqlalchemy import create_engine

from podjig import PostgresContainer, container_fixture, postgres_database, rollback

pg = container_fixture(PostgresContainer("postgres:16"))
database = postgres_database("pg", migrate=Base.metadata, scope="session")


@pytest.fixture(scope="session")
def engine(database):
    engine = create_engine(database.url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine):
    with rollback(engine) as isolated:
        factories.Session.configure(bind=isolated)
        yield factories.Session
        factories.Session.remove()
