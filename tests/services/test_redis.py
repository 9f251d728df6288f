"""Redis."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from podjig import RedisContainer
from podjig.errors import ContainerExited, DefinitionError, NotStartedError, PodjigError

PASSWORD = "p@ss:/?#[]%&+ wörd'\""


@pytest.fixture(scope="module", params=["redis:7", "redis:8"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisContainer]:
    with RedisContainer(request.param) as started:
        yield started


@pytest.fixture(scope="module")
def changed() -> Iterator[RedisContainer]:
    """A server with about everything changed."""
    container = RedisContainer("redis:8", 6380, PASSWORD)
    with container.with_server_settings(maxmemory="64mb", maxmemory_policy="allkeys-lru") as started:
        yield started


def setting(container: RedisContainer, name: str) -> str:
    with container.get_client(decode_responses=True) as client:
        answer: Any = client.config_get(name)
        return str(answer[name])


def test_the_url(server: RedisContainer) -> None:
    port = server.get_exposed_port(6379)
    assert server.get_connection_url() == f"redis://localhost:{port}/0"
    assert server.get_connection_url(host="cache.test", db=3) == f"redis://cache.test:{port}/3"
    assert server.get_connection_url(driver="valkey") == f"valkey://localhost:{port}/0"


def test_the_url_with_a_password(changed: RedisContainer) -> None:
    quoted = "p%40ss%3A%2F%3F%23%5B%5D%25%26%2B%20w%C3%B6rd%27%22"
    assert changed.get_connection_url() == f"redis://:{quoted}@localhost:{changed.get_exposed_port(6380)}/0"
    with redis.Redis.from_url(changed.get_connection_url()) as client:
        assert client.ping()


def test_a_client_through_the_url_and_database(server: RedisContainer) -> None:
    with (
        redis.Redis.from_url(server.get_connection_url()) as zero,
        redis.Redis.from_url(server.get_connection_url(db=5)) as five,
    ):
        five.set("where", "five")
        assert five.get("where") == b"five"
        assert zero.get("where") is None


def test_get_client(server: RedisContainer, changed: RedisContainer) -> None:
    for container in (server, changed):
        with container.get_client(decode_responses=True) as client:
            client.set("key", "värde")
            assert client.get("key") == "värde"


def test_without_the_password_nothing_is_answered(changed: RedisContainer) -> None:
    port, once = changed.get_exposed_port(6380), Retry(NoBackoff(), 0)
    with redis.Redis(port=port, retry=once) as client, pytest.raises(redis.AuthenticationError):
        client.ping()


def test_the_major_version_is_the_images(server: RedisContainer) -> None:
    with server.get_client(decode_responses=True) as client:
        info: Any = client.info("server")
        assert info["redis_version"].split(".")[0] == server.image.partition(":")[2]


def test_it_runs_for_tests_by_default(server: RedisContainer) -> None:
    assert setting(server, "save") == ""
    assert setting(server, "appendonly") == "no"
    assert b"tmpfs" in server.exec("grep ' /data ' /proc/mounts").stdout


def test_settings_are_in_force(changed: RedisContainer) -> None:
    assert setting(changed, "maxmemory") == str(64 << 20)
    assert setting(changed, "maxmemory-policy") == "allkeys-lru"
    assert setting(changed, "port") == "6380"


def test_settings_win_over_the_test_profile() -> None:
    with RedisContainer("redis:8").with_server_settings(save="900 1", appendonly="yes") as server:
        assert setting(server, "save") == "900 1"
        assert setting(server, "appendonly") == "yes"


def test_durable_is_as_the_image_would() -> None:
    with RedisContainer("redis:8", durable=True) as server:
        assert setting(server, "save") != ""
        assert b"tmpfs" not in server.exec("grep ' /data ' /proc/mounts").stdout


@pytest.mark.parametrize("command", ["redis-server --databases 3", "--databases 3"], ids=["whole", "options"])
def test_a_users_own_command_wins(command: str) -> None:
    with RedisContainer("redis:8").with_command(command) as server:
        assert setting(server, "databases") == "3"
        assert setting(server, "save") == ""


@pytest.mark.parametrize("time", range(3))
def test_ready_means_that_the_first_command_works(time: int) -> None:
    with RedisContainer(("redis:7", "redis:8")[time % 2], password="secret") as server, server.get_client() as client:
        assert client.set("key", "value")


def test_a_crash_at_the_start_is_told_with_the_servers_words(labels: dict[str, str]) -> None:
    container = RedisContainer("redis:8").with_server_settings(no_such_setting=1).with_labels(labels)
    with pytest.raises(ContainerExited) as caught:
        container.start()
    assert "no-such-setting" in caught.value.logs
    assert "waited for an answer in Redis's protocol on port 6379" in caught.value.message


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: RedisContainer(password=""), "Redis's password is ''"),
        (lambda: RedisContainer(password=5), "Redis's password is 5"),  # type: ignore[arg-type]
        (lambda: RedisContainer(password=b"x"), "Redis's password is b'x'"),  # type: ignore[arg-type]
        (lambda: RedisContainer(port=0), "0"),
        (lambda: RedisContainer("Redis!"), "'Redis!'"),
    ],
)
def test_bad_values_are_refused_at_once_and_named(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(DefinitionError, match=re.escape(says)):
        make()


def test_an_unknown_scheme_of_a_url_is_refused(server: RedisContainer) -> None:
    with pytest.raises(DefinitionError, match="unsupported driver 'memcached'"):
        server.get_connection_url(driver="memcached")


def test_before_the_start_there_is_neither_url_nor_client() -> None:
    with pytest.raises(NotStartedError):
        RedisContainer("redis:8").get_connection_url()
    with pytest.raises(NotStartedError):
        RedisContainer("redis:8").get_client()


def test_a_missing_client_package_is_told(server: RedisContainer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(PodjigError, match="the package 'redis' is not installed") as caught:
        server.get_client()
    assert "podjig[redis]" in caught.value.hint
