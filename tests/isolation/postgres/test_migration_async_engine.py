"""Migrations by an asynchronous function that works with SQLAlchemy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from isolation.postgres.conftest import Tables
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.migration.function import FunctionMigration


async def by_engine(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE made ()"))


async def by_transaction(it: AsyncConnection) -> None:
    await it.execute(text("CREATE TABLE made ()"))


@pytest.mark.parametrize("function", [by_engine, by_transaction])
def test_it_gets_what_its_parameter_asks_for(
    empty: PostgresDatabase, tables: Tables, function: Callable[..., Any]
) -> None:
    FunctionMigration(function).run(empty)
    assert tables(empty) == ["made"]
