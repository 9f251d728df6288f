"""A container that somebody else made and removes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from podjig import ContainerError, ContainerExited, GenericContainer, RedisContainer
from podjig.container.observer import Startup, observers
from podjig.errors import AlreadyStartedError


@pytest.fixture(scope="module")
def made() -> Iterator[RedisContainer]:
    with RedisContainer("redis:8") as server:
        yield server


@pytest.fixture
def told() -> Iterator[list[Startup]]:
    startups: list[Startup] = []
    observers.append(startups.append)
    yield startups
    observers.remove(startups.append)


def test_all_works_as_where_it_was_made(made: RedisContainer) -> None:
    with RedisContainer("redis:8").attach(made.id) as server:
        assert server.borrowed
        assert not made.borrowed
        assert server.get_connection_url() == made.get_connection_url()
        assert server.exec(["redis-cli", "ping"]).output == b"PONG\n"
        assert "Ready to accept connections" in server.logs()
        assert server.status == "running"
        assert server.wait_strategy().check(server) is None


def test_letting_go_of_it_does_not_remove_it(made: RedisContainer) -> None:
    with RedisContainer("redis:8").attach(made.id[:12]) as server:
        pass
    assert not server.started
    assert not server.borrowed
    server.attach(made.id).stop(timeout=1)
    assert made.status == "running"


def test_a_copy_of_one_attached_is_not_attached(made: RedisContainer) -> None:
    server = RedisContainer("redis:8").attach(made.id)
    assert not server.clone().started
    with pytest.raises(AlreadyStartedError, match="is started"):
        server.attach(made.id)


def test_the_end_of_a_forked_child_that_attached_to_it_leaves_it(made: RedisContainer) -> None:
    child = os.fork()
    if child == 0:
        try:
            RedisContainer("redis:8").attach(made.id)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert made.status == "running"


def test_there_must_be_such_a_container() -> None:
    with pytest.raises(ContainerError, match="no container 'not-there' to attach to"):
        GenericContainer("busybox").attach("not-there")


def test_it_must_run() -> None:
    with GenericContainer("busybox", command="sh -c 'echo the reason; exit 3'") as ended:
        ended.wait()
        with pytest.raises(ContainerExited, match="exited with code 3") as caught:
            GenericContainer("busybox").attach(ended.id)
    assert "the reason" in caught.value.logs
    assert caught.value.exit_code == 3


def test_who_observes_is_told_of_it(made: RedisContainer, told: list[Startup]) -> None:
    server = RedisContainer("redis:8").attach(made.id)
    assert [(startup.container, startup.how) for startup in told] == [(server, "attached")]
    with GenericContainer("busybox", command="sleep 60") as box:
        assert told[1].container is box
        assert (told[1].how, told[1].waited_for) == ("started", "")
        assert told[1].seconds > 0
