"""How people get at a Redis that was kept: with this machine's redis-cli, else with that in the server's container."""

from __future__ import annotations

import shlex
import shutil

from podjig.engine.command_lines import podman
from podjig.isolation.protocol import StateAccess
from podjig.isolation.redis.server import RedisServer


def access_to(server: RedisServer, index: int, prefix: str = "") -> StateAccess:
    """Return the commands for a database, or for the keys below a prefix.

    Args:
        server: Its server.
        index: Its index there.
        prefix: What its keys begin with; empty where the whole database is meant.
    """
    if not prefix:
        opens, removes = _cli(server, index), _cli(server, index, "flushdb")
    else:
        keys = f"{prefix}*"  # podjig's prefixes have no character that is special in a pattern
        opens = _cli(server, index, "--scan", "--pattern", keys)
        script = "for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('UNLINK', key) end"
        removes = _cli(server, index, "eval", script, "0", keys)
    return StateAccess(opens=opens, removes=removes, lasts=server.container is None)


def _cli(server: RedisServer, index: int, *words: str) -> str:
    container = server.container
    if shutil.which("redis-cli") or container is None or not container.started:
        return shlex.join(["redis-cli", "-u", server.url(index), *words])
    password = ["-a", server.password] if server.password else []
    port = [] if container.port == 6379 else ["-p", str(container.port)]
    name = container.inspect().name
    return podman(container.engine, "exec", "-it", name, "redis-cli", *port, "-n", str(index), *password, *words)
