"""A function that makes the schema, or SQLAlchemy's metadata."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

from podjig.errors import DefinitionError
from podjig.isolation.postgres.driver import psycopg
from podjig.isolation.postgres.migration.digest import Digest
from podjig.isolation.postgres.migration.failure import failing
from podjig.isolation.postgres.migration.running import run_coroutine
from podjig.isolation.postgres.migration.source import add_function, inner_function

if TYPE_CHECKING:
    from podjig.isolation.postgres.database import PostgresDatabase

_BY_NAME = {
    "url": "url", "dsn": "dsn", "database": "database", "db": "database", "connection": "connection",
    "conn": "connection", "engine": "engine", "bind": "engine",
}  # fmt: skip
_BY_ANNOTATION = {
    ("podjig", "PostgresDatabase"): "database",
    ("psycopg", "Connection"): "connection",
    ("psycopg", "AsyncConnection"): "connection",
    ("sqlalchemy", "Engine"): "engine",
    ("sqlalchemy", "AsyncEngine"): "engine",
    ("sqlalchemy", "Connection"): "transaction",
    ("sqlalchemy", "AsyncConnection"): "transaction",
}
_HINT = (
    "let it take one argument: the database's 'url' (for SQLAlchemy), its 'dsn' (for libpq), a psycopg 'connection',"
    " a SQLAlchemy 'engine', or the PostgresDatabase as 'database'"
)


class FunctionMigration:
    """Calls a function with what its parameter asks for, or creates all tables of a ``MetaData``."""

    def __init__(self, function: Any, *, depends: tuple[Path, ...] = ()) -> None:
        """Look at the function's parameters.

        Raises:
            DefinitionError: It takes no argument, or needs several.
        """
        create_all = getattr(function, "create_all", None)
        self._function: Callable[..., Any] = function if create_all is None else create_all
        self._depends = depends
        self._name, self._kind, self._by_keyword = _parameter(self._function)

    @property
    def description(self) -> str:
        """The function's name and module."""
        inner = inner_function(self._function)
        return f"{inner.__module__}:{inner.__qualname__}"

    @cached_property
    def key(self) -> str:
        """A hash of its source, or of the tables that it creates."""
        digest = Digest("function")
        tables = _tables_of(self._function)
        if tables is not None:
            digest.add(tables)
        else:
            add_function(digest, self._function)
        digest.add_files(self._depends)
        return digest.key

    def run(self, database: PostgresDatabase) -> None:
        """Call it."""
        with failing(self.description):
            if inspect.iscoroutinefunction(inner_function(self._function)):
                run_coroutine(lambda: self._run_async(database))
            else:
                self._run(database)

    def _run(self, database: PostgresDatabase) -> None:
        if self._kind == "connection":
            with closing(database.connect(autocommit=True)) as connection:
                self._finish(connection)
        elif self._kind in ("engine", "transaction"):
            from sqlalchemy import create_engine

            engine = create_engine(database.url)
            try:
                if self._kind == "engine":
                    self._finish(engine)
                else:
                    with engine.begin() as connection:
                        self._finish(connection)
            finally:
                engine.dispose()
        else:
            self._finish(_plain(self._kind, database))

    def _finish(self, argument: Any) -> None:
        """Call it; what it returns may be the coroutine of another function."""
        result = self._call(argument)
        if inspect.iscoroutine(result):
            run_coroutine(lambda: result)

    async def _run_async(self, database: PostgresDatabase) -> None:
        if self._kind == "connection":
            async with await database.aconnect(autocommit=True) as connection:
                await self._call(connection)
        elif self._kind in ("engine", "transaction"):
            from sqlalchemy.ext.asyncio import create_async_engine

            engine = create_async_engine(database.url)
            try:
                if self._kind == "engine":
                    await self._call(engine)
                else:
                    async with engine.begin() as connection:
                        await self._call(connection)
            finally:
                await engine.dispose()
        else:
            await self._call(_plain(self._kind, database))

    def _call(self, argument: Any) -> Any:
        return self._function(**{self._name: argument}) if self._by_keyword else self._function(argument)


def _plain(kind: str, database: PostgresDatabase) -> Any:
    return {"url": database.url, "dsn": database.dsn, "database": database}[kind]


def _parameter(function: Callable[..., Any]) -> tuple[str, str, bool]:
    """Return the parameter to fill: its name, with what, and whether by keyword."""
    what = f"the migration {getattr(function, '__qualname__', function)!r}"
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:  # of C code: it says nothing of its parameters
        return "", "url", False
    fixed = [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    needed = [each for each in fixed if each.default is each.empty]
    chosen = next(iter(needed or fixed), None)
    if len(needed) > 1:
        raise DefinitionError(f"{what} needs {len(needed)} arguments: {', '.join(p.name for p in needed)}", hint=_HINT)
    if chosen is None:
        if any(each.kind is each.VAR_POSITIONAL for each in parameters):
            return "", "url", False
        raise DefinitionError(f"{what} takes no argument, so it cannot know its database", hint=_HINT)
    return chosen.name, _kind(function, chosen), chosen.kind is chosen.KEYWORD_ONLY


def _kind(function: Callable[..., Any], parameter: inspect.Parameter) -> str:
    """Return with what to fill a parameter."""
    by_name = _BY_NAME.get(parameter.name, "url")
    if parameter.annotation is parameter.empty:
        return by_name
    try:
        annotation = get_type_hints(inner_function(function))[parameter.name]
    except Exception:  # noqa: BLE001  a name that exists for type checkers only: the parameter's own name decides
        return by_name
    if annotation is str:
        return by_name if by_name == "dsn" else "url"
    annotation = getattr(annotation, "__origin__", annotation)
    module, name = getattr(annotation, "__module__", ""), getattr(annotation, "__qualname__", "")
    return _BY_ANNOTATION.get((module.partition(".")[0], name), by_name)


def _tables_of(function: Callable[..., Any]) -> str | None:
    """Return all statements that ``metadata.create_all`` would send; ``None`` where that is not what it is."""
    owner = getattr(function, "__self__", None)
    if getattr(function, "__name__", "") != "create_all" or not hasattr(owner, "sorted_tables"):
        return None
    from sqlalchemy import create_mock_engine

    psycopg()
    statements: list[str] = []

    def gather(statement: Any, *_: Any, **__: Any) -> None:
        statements.append(str(statement.compile(dialect=mock.dialect)))

    mock = create_mock_engine("postgresql+psycopg://", gather)
    function(mock, checkfirst=False)
    return "\n".join(sorted(statements))  # a table's indexes come in any order
