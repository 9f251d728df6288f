"""The migrations themselves, on databases that a test may change as it likes."""

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from library.models import Base
from sqlalchemy import create_engine, inspect


@pytest.fixture
def engine(database):
    engine = create_engine(database.url)
    yield engine
    engine.dispose()


def test_they_make_what_the_models_say(engine):
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_last_one_can_be_taken_back(database, engine):
    config = Config(Path(__file__).with_name("alembic.ini"))
    config.set_main_option("sqlalchemy.url", database.url)
    command.downgrade(config, "-1")
    assert "year" not in {column["name"] for column in inspect(engine).get_columns("books")}
    command.upgrade(config, "head")
    assert "year" in {column["name"] for column in inspect(engine).get_columns("books")}
