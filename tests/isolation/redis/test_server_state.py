"""What a test changes on a whole Redis server is put back, or told of where others use the server."""

from __future__ import annotations

from typing import Any

import pytest

from podjig import RedisContainer
from podjig.isolation.redis.database import RedisDatabase
from podjig.isolation.redis.databases import RedisDatabases

pytestmark = pytest.mark.xdist_group("redis-isolation")

LIBRARY = "#!lua name={}\nredis.register_function('{}', function() return {} end)"


@pytest.fixture(params=["redis:7", "redis:8"])
def server(request: pytest.FixtureRequest) -> RedisContainer:
    """Each of them in turn."""
    name = "container" if request.param == "redis:8" else "guarded_container"
    found: RedisContainer = request.getfixturevalue(name)
    return found


@pytest.fixture
def furnished(server: RedisContainer) -> RedisContainer:
    """A server with users and functions that were there before any test."""
    with server.get_client() as client:
        client.acl_deluser("app", "reader", "intruder")
        client.acl_setuser("app", enabled=True, passwords=["+old"], keys=["app:*"], commands=["+get", "+set"])
        anything: Any = client
        anything.execute_command("ACL", "SETUSER", "reader", "on", ">secret", "(%R~app:* +get)", "&news")
        client.function_load(LIBRARY.format("old", "f", 1), replace=True)
    return server


def seen(server: RedisContainer) -> list[Any]:
    with server.get_client(protocol=2, decode_responses=True) as client:
        return [client.execute_command("CONFIG", "GET", "*"), client.acl_list(), client.function_list(withcode=True)]


def send(database: RedisDatabase, *command: str) -> None:
    client: Any = database.client
    client.execute_command(*command)


CHANGES = [
    (["CONFIG", "SET", "maxmemory", "100mb"], "a changed setting ('maxmemory')"),
    (["CONFIG", "SET", "notify-keyspace-events", "KEA"], "a changed setting ('notify-keyspace-events')"),
    (["CONFIG", "SET", "save", "60 1 300 2"], "a changed setting ('save')"),
    (["ACL", "SETUSER", "intruder", "on", ">x", "+@all", "~*"], "a new user ('intruder')"),
    (["ACL", "SETUSER", "app", "resetpass", ">new", "nocommands"], "a changed user ('app')"),
    (["ACL", "SETUSER", "reader", "clearselectors", "allchannels"], "a changed user ('reader')"),
    (["ACL", "SETUSER", "app", "(+@all ~*)"], "a changed user ('app')"),
    (["ACL", "DELUSER", "reader"], "a removed user ('reader')"),
    (["FUNCTION", "LOAD", LIBRARY.format("new", "g", 1)], "a new function library ('new')"),
    (["FUNCTION", "LOAD", "REPLACE", LIBRARY.format("old", "f", 2)], "a changed function library ('old')"),
    (["FUNCTION", "FLUSH"], "a removed function library ('old')"),
]


@pytest.mark.parametrize(("command", "told"), CHANGES, ids=lambda value: " ".join(value[:3])[:40])
def test_a_change_is_put_back_and_named(furnished: RedisContainer, command: list[str], told: str) -> None:
    before = seen(furnished)
    with RedisDatabases(furnished) as databases:
        with databases.database("test_of_mine") as database:
            send(database, *command)
        assert seen(furnished) == before
        assert [(each.requester, each.what) for each in databases.leftovers()] == [
            ("test_of_mine", f"{told} of the whole server")
        ]
        with databases.database():
            pass
        assert databases.leftovers() == []


@pytest.mark.parametrize("command", ["CONFIG GET *", "CONFIG RESETSTAT", "CONFIG SET maxmemory 0", "FLUSHALL"])
def test_nothing_is_said_where_nothing_was_changed(server: RedisContainer, command: str) -> None:
    with RedisDatabases(server) as databases:
        with databases.database() as database:
            send(database, *command.split())
        assert databases.leftovers() == []


def test_where_other_processes_use_the_server_it_stays_and_is_told(container: RedisContainer) -> None:
    with RedisDatabases(container) as others, others.database() as theirs, RedisDatabases(container) as databases:
        theirs.client.set("key", "value")
        with databases.database() as database:
            database.client.config_set("maxmemory", 100_000_000)
            database.client.flushall()
        flushed, changed = [each.what for each in databases.leftovers()]
        whose = "by this test or one of another process"
        assert flushed == f"databases of other tests that FLUSHALL has emptied, {whose}"
        assert changed.startswith(f"a changed setting ('maxmemory') of the whole server, {whose}, which stays: other")
        assert theirs.client.config_get("maxmemory") == {"maxmemory": "100000000"}
        theirs.client.config_set("maxmemory", 0)


def test_on_a_server_of_others_nothing_is_touched(container: RedisContainer) -> None:
    with RedisDatabases(container.get_connection_url()) as databases:
        with databases.database() as database:
            database.client.config_set("maxmemory", 100_000_000)
        (left,) = databases.leftovers()
        assert left.what.endswith("('maxmemory') of the whole server, which stays: others may use it too")
        with container.get_client() as client:
            assert client.config_get("maxmemory") == {"maxmemory": "100000000"}
            client.config_set("maxmemory", 0)


def test_a_user_who_may_not_look_is_told_nothing(container: RedisContainer) -> None:
    with container.get_client() as client:
        client.acl_setuser("plain", enabled=True, passwords=["+x"], keys=["*"], categories=["+@all"],
                           commands=["-config", "-acl", "-info"])  # fmt: skip
        address = f"{container.get_container_host_ip()}:{container.get_exposed_port(6379)}"
        with RedisDatabases(f"redis://plain:x@{address}") as databases:
            with databases.database() as database:
                database.client.set("key", "value")
            assert databases.leftovers() == []
        client.acl_deluser("plain")
