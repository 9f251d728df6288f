"""PostgreSQL."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from podjig.container import GenericContainer
from podjig.container.definition import env_text
from podjig.errors import ContainerError, DefinitionError, ServerRefusal
from podjig.services import pg_ctl, postgres_state
from podjig.services.postgres_wire import PostgresWire
from podjig.services.server_command import with_defaults
from podjig.spec import ContainerSpec, Port
from podjig.wait.conversation import ConversationWaitStrategy, receive
from podjig.wait.strategy import WaitStrategy

if TYPE_CHECKING:
    from typing_extensions import Self

DRIVERS = ("psycopg2", "psycopg", "asyncpg", "pg8000", "psycopg2cffi")
"""Drivers of SQLAlchemy's PostgreSQL dialect that a URL may name."""

TEST_PROFILE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "checkpoint_timeout": "1d",
    "log_checkpoints": "off",  # each CREATE DATABASE takes two, and a failing test shows the log
}
"""Server settings for data that need not survive the machine. Every PostgreSQL from 9.6 on knows them."""

_VARIABLES = {"POSTGRES_USER": "username", "POSTGRES_PASSWORD": "password", "POSTGRES_DB": "dbname"}
_INIT_FOLDER = "/docker-entrypoint-initdb.d"
_SCRIPT_MODES = {".sql": 0o644, ".sql.gz": 0o644, ".sql.xz": 0o644, ".sql.zst": 0o644, ".sh": 0o755}


class PostgresContainer(GenericContainer):
    """A PostgreSQL server, by the contract of the ``postgres`` image (also of PostGIS, pgvector, TimescaleDB ...).

    Ready means that it answered a start-up packet on its published port, so it is the final server and not the
    temporary one of the image's first start.

    By default it runs for tests: data on tmpfs, no fsync (see :data:`TEST_PROFILE`), no waiting in its entrypoint for
    what is done (see :mod:`podjig.services.pg_ctl`). ``durable=True`` runs it as the image would.

    Args:
        image: The image's name.
        port: The port it listens on inside.
        username: Its superuser.
        password: That user's password.
        dbname: The database it makes.
        driver: The driver that :meth:`get_connection_url` names; ``None`` for a plain ``postgresql://``.
        durable: Keep data on a volume, with the image's own settings.
        kwargs: As for :class:`GenericContainer`.

    Raises:
        DefinitionError: The user, password or database is empty, or the driver unknown.
    """

    can_partition = True
    can_reset = True

    def __init__(
        self,
        image: str = "postgres:latest",
        port: int = 5432,
        username: str = "test",
        password: str = "test",  # noqa: S107  the peers' well-known default, of a server on loopback
        dbname: str = "test",
        driver: str | None = "psycopg2",
        *,
        durable: bool = False,
        **kwargs: Any,
    ) -> None:
        self.port: int = Port.parse(port).container
        self.username: str = _not_empty("username", username)
        self.password: str = _not_empty("password", password)
        self._dbname: str = _not_empty("dbname", dbname)
        self.driver: str | None = _checked_driver(driver)
        self.durable: bool = durable
        self._settings: dict[str, str] = {}
        super().__init__(image, **kwargs)
        self._service_ports = (Port(container=self.port),)

    @property
    def dbname(self) -> str:
        """Its database; after :meth:`partition` the worker's."""
        return self._part or self._dbname

    @dbname.setter
    def dbname(self, name: str) -> None:
        self._dbname = _not_empty("dbname", name)

    def with_env(self, key: str, value: str | int | float) -> Self:
        """Set an environment variable; the image's own for user, password and database set those arguments."""
        attribute = _VARIABLES.get(key)
        if attribute is None:
            return super().with_env(key, value)
        setattr(self, attribute, _not_empty(attribute, env_text(key, value)))
        return self

    def with_port(self, port: int) -> Self:
        """Listen on another port inside, where others share its network; :meth:`get_connection_url` knows it.

        Raises:
            PortError: It is no port.
        """
        self.port = Port.parse(port).container
        self._service_ports = (Port(container=self.port),)
        return self

    def with_server_settings(self, **settings: str | int | float) -> Self:
        """Set server parameters, like ``max_connections=200``; they win over the test profile."""
        self._settings.update({name: str(value) for name, value in settings.items()})
        return self

    def with_init_script(self, script: str | os.PathLike[str]) -> Self:
        """Run a file when the database is made: ``.sql``, ``.sql.gz``, ``.sql.xz``, ``.sql.zst`` or ``.sh``.

        Several run in the order given.

        Raises:
            DefinitionError: The file does not exist or is of another kind.
        """
        path = Path(script)
        mode = next((mode for ending, mode in _SCRIPT_MODES.items() if path.name.endswith(ending)), None)
        if mode is None:
            raise DefinitionError(
                f"init script {str(path)!r} is of no kind that the image runs", hint=f"use {', '.join(_SCRIPT_MODES)}"
            )
        if not path.is_file():
            raise DefinitionError(f"init script {str(path)!r} does not exist", hint="check the path")
        number = sum(1 for _, target, _ in self._copies if target.startswith(_INIT_FOLDER))
        return self.with_copy_into_container(path, f"{_INIT_FOLDER}/{number:03d}-{path.name}", mode)

    def get_connection_url(self, host: str | None = None, driver: str | None = "") -> str:
        """Return the URL for SQLAlchemy: ``postgresql+psycopg2://test:test@localhost:32789/test``.

        Args:
            host: Instead of the host under which tests reach it.
            driver: Instead of the container's own; ``None`` gives ``postgresql://``, which libpq reads as well.

        Raises:
            NotStartedError: It is not started.
            DefinitionError: The driver is unknown.
        """
        chosen = self.driver if driver == "" else _checked_driver(driver)
        scheme = "postgresql" if chosen is None else f"postgresql+{chosen}"
        login = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}"
        address = f"{host or self.get_container_host_ip()}:{self.get_exposed_port(self.port)}"
        return f"{scheme}://{login}@{address}/{quote(self.dbname, safe='')}"

    def partition(self, worker: str) -> Self:
        name = postgres_state.database_of(self._dbname, worker)
        with self._wire() as wire:
            source = self._dbname
            if source == "postgres":  # in which sessions of other workers may be by now: then it cannot be copied
                source = postgres_state.NEW
                postgres_state.ensure_copy(wire, self._dbname, source)
            postgres_state.ensure_part(wire, source, name)
        self._part = name
        return self

    def remember(self) -> str:
        with self._wire() as wire:
            postgres_state.ensure_copy(wire, self._dbname, postgres_state.NEW)
        with self._wire(postgres_state.NEW) as wire:
            return postgres_state.remember(wire, self._dbname)

    def reset(self, remembered: str) -> str:
        try:
            wire = self._wire(postgres_state.NEW)
        except ServerRefusal as error:
            raise ContainerError(f"it is another server than the remembered one: {error.message}") from None
        with wire:
            return postgres_state.reset(wire, self._dbname, remembered)

    def _wire(self, database: str = "") -> PostgresWire:
        """Connect to a database; where none is named, to one that no test uses."""
        if not database and self._reuse_key is not None:
            database = postgres_state.NEW  # sessions elsewhere count as somebody's use
        return PostgresWire(
            (self.get_container_host_ip(), self.get_exposed_port(self.port)),
            user=self.username,
            password=self.password,
            database=database or ("postgres" if self._dbname != "postgres" else "template1"),
        )

    def wait_strategy(self) -> WaitStrategy:
        return self._strategy or ConversationWaitStrategy(self.port, "PostgreSQL's protocol", self._ask)

    def spec(self) -> ContainerSpec:
        spec = super().spec()
        variables = {"POSTGRES_USER": self.username, "POSTGRES_PASSWORD": self.password, "POSTGRES_DB": self._dbname}
        variables = {name: value for name, value in variables.items() if f"{name}_FILE" not in spec.env}
        if self.port != 5432:
            variables["PGPORT"] = str(self.port)
        settings = self._settings
        if not self.durable:
            settings = TEST_PROFILE | settings
            arguments = spec.env.get("POSTGRES_INITDB_ARGS", "")
            variables[pg_ctl.VARIABLE] = pg_ctl.FUNCTION
            variables["POSTGRES_INITDB_ARGS"] = f"{arguments} -N".strip()  # --no-sync, by the name that 9.6 knows
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return replace(
            spec,
            env={**spec.env, **variables},
            command=with_defaults(spec.command, "postgres", options),
            image_volumes="anonymous" if self.durable else "tmpfs",
        )

    def _ask(self, connection: socket.socket) -> str | None:
        """Send a start-up packet; a request to authenticate, or any refusal but "starting up", is the real server.

        Source: the PostgreSQL manual, "Frontend/Backend Protocol", Message Formats.
        """
        words = ("user", self.username, "database", self.dbname)
        parameters = b"".join(word.encode() + b"\0" for word in words)
        body = struct.pack("!i", 196608) + parameters + b"\0"
        connection.sendall(struct.pack("!i", len(body) + 4) + body)
        kind, size = struct.unpack("!ci", receive(connection, 5))
        if kind == b"R":
            return None
        fields = receive(connection, min(size - 4, 8192)).split(b"\0")
        told = {field[:1]: field[1:].decode("utf-8", "replace") for field in fields if field}
        starting_or_stopping = told.get(b"C", "").startswith("57P")
        return f"it said: {told.get(b'M', '')}" if starting_or_stopping else None


def _not_empty(what: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise DefinitionError(
            f"PostgreSQL's {what} is {value!r}",
            hint="leave it out for 'test'; the image refuses to start without a password",
        )
    return value


def _checked_driver(driver: str | None) -> str | None:
    if driver is None or driver in DRIVERS:
        return driver
    raise DefinitionError(
        f"unsupported driver {driver!r} for a PostgreSQL URL",
        hint=f"use {', '.join(DRIVERS)}, or None for a plain postgresql:// URL",
    )
