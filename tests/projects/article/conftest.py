"""PostgreSQL and Redis for a test suite; who comes from testcontainers changes only the import line."""

import pytest
import redis
from myapp.models import Base
from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session

from podjig import PostgresContainer, RedisContainer, postgres_database


@pytest.fixture(scope="session")
def pg_container():
    with PostgresContainer("postgres:16") as pg:
        yield pg


@pytest.fixture(scope="session")
def redis_client():
    with RedisContainer("redis:7.4") as container:
        client = redis.Redis.from_url(container.get_connection_url())
        yield client
        client.close()


@pytest.fixture(scope="session")
def engine(pg_container):
    engine = create_engine(pg_container.get_connection_url())
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def db_session(engine):
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


# The template pattern: the schema is made once, and each test that wants a database of its own gets a copy.
database = postgres_database("pg_container", migrate=Base.metadata, mode="template")
