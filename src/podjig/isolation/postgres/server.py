"""The server whose databases are given out: how it is reached, and as whom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from podjig.errors import DefinitionError, IsolationError, PodjigError
from podjig.isolation.masking import shown
from podjig.isolation.postgres.driver import psycopg
from podjig.services.postgres import PostgresContainer

if TYPE_CHECKING:
    from psycopg import Connection

APPLICATION = "podjig"
"""The ``application_name`` of podjig's own connections: by it they are told from a test's."""

_COMMON = "postgres"
"""A database that every server has. Advisory locks are a database's own, so all workers of a run are to meet in one:
the container's may be a part of it, this worker's."""

_SOCKET_FOLDERS = ("run/postgresql", "var/run/postgresql")
"""Where the image's server has its Unix socket, below the container's root. ``/var/run`` mostly is a link, and an
absolute one leads out of the container."""


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """A PostgreSQL server and a superuser of it.

    Attributes:
        host: The host under which tests reach it.
        port: The port there.
        user: A superuser.
        password: That user's password.
        dbname: The database to connect to for what concerns the whole server.
        socket: The folder of its Unix socket, as seen from here; empty where there is none. A round trip through it
            takes a fifth of one through a rootless engine's published port.
        container: The name or id of its container, for commands that are printed; empty where there is none.
        inside: The port it listens on inside its container.
        options: libpq's parameters that its URL had besides, like ``sslmode``.
        origin: Its container, where it was given as one: for its log.
    """

    host: str
    port: int
    user: str
    password: str = field(default="", repr=False)
    dbname: str = "postgres"
    socket: str = ""
    container: str = ""
    inside: int = 5432
    options: tuple[tuple[str, str], ...] = ()
    origin: PostgresContainer | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, server: PostgresContainer | PostgresServer | str) -> PostgresServer:
        """Return the server behind a started container, or behind a URL (``postgresql://user:password@host:port/db``).

        Raises:
            DefinitionError: ``server`` is none of these.
            NotStartedError: The container is not started.
        """
        if isinstance(server, PostgresServer):
            return server
        if isinstance(server, PostgresContainer):
            return cls._of_container(server)
        if isinstance(server, str) and server.partition("://")[0].partition("+")[0] in ("postgresql", "postgres"):
            return cls._of_url(server)
        raise DefinitionError(
            f"{shown(server)} is no PostgreSQL server",
            hint="give a started PostgresContainer, or a URL like 'postgresql://user:password@localhost:5432/name'",
        )

    @classmethod
    def _of_container(cls, server: PostgresContainer) -> PostgresServer:
        info = server.inspect()
        found = cls(
            host=server.get_container_host_ip(),
            port=server.get_exposed_port(server.port),
            user=server.username,
            password=server.password,
            dbname=_COMMON,
            container=info.name,
            inside=server.port,
            origin=server,
        )
        by_socket = replace(found, socket=_socket_of(info.state.pid, info.id, server.port))
        return by_socket if by_socket.socket and _admits(by_socket) else found

    @classmethod
    def _of_url(cls, url: str) -> PostgresServer:
        """Read a URL as libpq does, but for the host and user that it leaves out."""
        library = psycopg()
        rest = url.partition("://")[2]
        try:
            # A driver after the scheme is SQLAlchemy's.
            found = {
                name: str(value) for name, value in library.conninfo.conninfo_to_dict(f"postgresql://{rest}").items()
            }
            port = int(found.pop("port", "5432").partition(",")[0] or 5432)
        except (library.Error, ValueError) as error:
            raise DefinitionError(
                f"the URL {shown(url)} of a PostgreSQL server cannot be read: {str(error).strip()}",
                hint="percent-encode special characters of the user, password and name",
            ) from None
        host = found.pop("host", "localhost")
        if "," in host:
            raise DefinitionError(
                f"the URL {shown(url)} names several servers", hint="name the one whose databases are to be used"
            )
        user = found.pop("user", "postgres")
        return cls(
            host=host,
            port=port,
            user=user,
            password=found.pop("password", ""),
            dbname=found.pop("dbname", user),
            options=tuple(sorted(found.items())),
        )

    def url(self, dbname: str, driver: str | None = None) -> str:
        """Return a database's URL by host and port: for SQLAlchemy, or (``None``) for libpq and asyncpg."""
        scheme = "postgresql" if driver is None else f"postgresql+{driver}"
        password = f":{quote(self.password, safe='')}" if self.password else ""
        login = f"{scheme}://{quote(self.user, safe='')}{password}@"
        options = dict(self.options)
        if self.host.startswith("/"):  # the folder of a Unix socket
            address = ""
            options = {"host": self.host, "port": str(self.port), **options}
        else:
            address = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
        return f"{login}{address}/{quote(dbname, safe='')}{'?' if query else ''}{query}"

    def parameters(self, dbname: str) -> dict[str, Any]:
        """Return libpq's parameters for the quickest way to a database: through the Unix socket where there is one."""
        address = {"host": self.socket, "port": self.inside} if self.socket else {"host": self.host, "port": self.port}
        return {**dict(self.options), **address, "user": self.user, "password": self.password, "dbname": dbname}

    def connect(self, dbname: str | None = None, **parameters: Any) -> Connection[Any]:
        """Return an autocommit connection for podjig's own use, to ``dbname`` or else to the server's own database.

        Args:
            dbname: The database.
            parameters: For ``psycopg.connect``, where others are wanted.

        Raises:
            PodjigError: psycopg is not installed.
            IsolationError: The server refuses.
        """
        library = psycopg()
        target = dbname or self.dbname
        try:
            connection: Connection[Any] = library.connect(
                **{**self.parameters(target), "autocommit": True, "application_name": APPLICATION, **parameters}
            )
        except library.Error as error:
            raise IsolationError(
                f"no connection to database {target!r} of {self.description}: {str(error).strip()}",
                hint=f"see its log: podman logs {self.container}" if self.container else "see the server's log",
            ) from None
        return connection

    def log_since(self, when: float, *, lines: int) -> str:
        """Return the last lines of its log since then (seconds since the epoch); nothing where it is no container."""
        if self.origin is None:
            return ""
        try:
            text = self.origin.logs(since=when)
        except PodjigError:  # its container is gone, and its log with it
            return ""
        return "\n".join(text.splitlines()[-lines:])

    @property
    def description(self) -> str:
        """Which server it is, for messages."""
        where = f"{self.host}:{self.port}"
        return f"PostgreSQL in container {self.container} ({where})" if self.container else f"PostgreSQL at {where}"


def _admits(server: PostgresServer) -> bool:
    """Whether it lets us in. The image's server lets in all who come by the socket, unless told otherwise."""
    try:
        server.connect().close()
    except IsolationError:
        return False
    return True


def _socket_of(pid: int, container: str, port: int) -> str:
    """Return the folder of a container's Unix socket, where this machine lets us see its files; else nothing.

    Whoever owns a container's user namespace may look at its processes' root (proc(5)), so nothing is mounted and
    nothing is left. The pid is of the engine's machine, which may be another.
    """
    if not pid:
        return ""
    root = Path(f"/proc/{pid}/root")
    for folder in _SOCKET_FOLDERS:
        try:
            if (root / folder / f".s.PGSQL.{port}").is_socket() and _is_of(pid, container):
                return str(root / folder)
        except OSError:  # another machine, another user, or no such folder
            continue
    return ""


def _is_of(pid: int, container: str) -> bool:
    """Whether a process here is that container's: the files that engines mount into it lie in a folder of its name."""
    return container in Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8")
