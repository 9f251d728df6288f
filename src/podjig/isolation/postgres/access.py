"""How people get at a database that was kept: with this machine's psql, else with that in the server's container."""

from __future__ import annotations

import shlex
import shutil

from podjig.engine.command_lines import podman
from podjig.isolation.postgres.server import PostgresServer
from podjig.isolation.protocol import StateAccess


def access_to(server: PostgresServer, name: str) -> StateAccess:
    """Return the commands for a database.

    Args:
        server: Its server.
        name: Its name.
    """
    return StateAccess(
        opens=_psql(server, name),
        removes=_psql(server, server.dbname, "-c", f'DROP DATABASE "{name}" WITH (FORCE)'),
        lasts=server.origin is None,
    )


def _psql(server: PostgresServer, dbname: str, *options: str) -> str:
    if shutil.which("psql") or server.origin is None:
        return shlex.join(["psql", server.url(dbname), *options])
    port = [] if server.inside == 5432 else ["-p", str(server.inside)]
    words = ["psql", "-U", server.user, *port, "-d", dbname, *options]
    return podman(server.origin.engine, "exec", "-it", server.container, *words)
