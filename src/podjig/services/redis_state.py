"""What is in a Redis server beside its data: a worker's database, and the server as it was when it was new."""

from __future__ import annotations

import json
import re
from typing import Any

from podjig.errors import ContainerError, ServerRefusal
from podjig.services.redis_wire import RedisWire

CLAIM = "podjig-index-"
"""What the name of a connection begins with whose database is given to tests; its index follows."""


def index_of(wire: RedisWire, worker: str) -> int:
    """Return the index of a worker's database: its number.

    Raises:
        ContainerError: The worker has no number, or the server not so many databases that are free.
    """
    number = re.search(r"\d+$", worker)
    if number is None:
        raise ContainerError(
            f"worker {worker!r} has no number, and databases of Redis have no other name",
            hint="name workers like 'gw0', 'gw1'",
        )
    (_, count), clients = wire.run(("CONFIG", "GET", "databases"), ("CLIENT", "LIST"))
    databases = int(count)
    if int(number[0]) >= databases:
        raise ContainerError(
            f"Redis has {databases} databases, too few for worker {worker!r}",
            hint=f"with_server_settings(databases={int(number[0]) + 1}), or a server for each worker",
        )
    if f" name={CLAIM}{number[0]} " in clients:
        raise ContainerError(
            f"Redis has {databases} databases, too few for worker {worker!r} beside those that tests have",
            hint=f"with_server_settings(databases={2 * databases}), or a server for each worker",
        )
    return int(number[0])


def remember(wire: RedisWire) -> str:
    """Return what the server is like; for :func:`reset`."""
    return json.dumps({"server": _server(wire), "config": _config(wire), "rest": _rest(wire)})


def reset(wire: RedisWire, remembered: str) -> str:
    """Make the server as new, and prove it; see ``SharingMethods.reset``."""
    memory: dict[str, Any] = json.loads(remembered)
    if _server(wire) != memory["server"]:
        raise ContainerError("it is another server than the remembered one, or was started again")
    wire.run(("CLIENT", "KILL", "SKIPME", "yes"), ("FLUSHALL",), ("SCRIPT", "FLUSH"))
    if memory["rest"]["functions"] is not None:
        wire.run(("FUNCTION", "FLUSH"))
    now = _config(wire)
    changed = [(name, value) for name, value in memory["config"].items() if now.get(name) != value]
    if changed:
        wire.run(*(("CONFIG", "SET", name, value) for name, value in changed))
    if _config(wire) != memory["config"] or _rest(wire) != memory["rest"]:
        raise ContainerError("something was changed that cannot be undone: users, modules or replication")
    return remembered


def _server(wire: RedisWire) -> str:
    """The server's own id, new with each start."""
    return _field(wire, "server", "run_id")


def _config(wire: RedisWire) -> dict[str, str]:
    words = wire.run(("CONFIG", "GET", "*"))[0]
    return dict(zip(words[::2], words[1::2], strict=True))


def _rest(wire: RedisWire) -> dict[str, Any]:
    users, modules = wire.run(("ACL", "LIST"), ("MODULE", "LIST"))
    try:
        (functions,) = wire.run(("FUNCTION", "LIST"))
    except ServerRefusal:
        functions = None  # before Redis 7
    return {"users": users, "modules": modules, "functions": functions, "role": _field(wire, "replication", "role")}


def _field(wire: RedisWire, section: str, name: str) -> str:
    text = wire.run(("INFO", section))[0]
    return next((line.partition(":")[2] for line in text.splitlines() if line.startswith(f"{name}:")), "")
