"""Reuse: taken up again what is unchanged and proves to be as new; everything else is made anew."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from podjig import GenericContainer, Network, PostgresContainer, RedisContainer
from podjig.cleanup import reuse
from podjig.cleanup.folders import folders
from podjig.cleanup.verdict import Judge
from podjig.container.observer import Startup, observers
from podjig.engine.protocol import Engine
from podjig.errors import ResourceNotFound

Make = Callable[[], RedisContainer]


@pytest.fixture
def told() -> Iterator[list[Startup]]:
    startups: list[Startup] = []
    observers.append(startups.append)
    yield startups
    observers.remove(startups.append)


@pytest.fixture
def make(engine: Engine) -> Iterator[Make]:
    """Makes definitions that are alike, and like those of no other test."""
    mine = uuid.uuid4().hex
    yield lambda: RedisContainer("redis:8").with_env("MINE", mine).with_labels({"podjig-test": mine}).with_reuse(600)
    for left in engine.list_containers(labels={"podjig-test": mine}):
        engine.remove_container(left.id)
        folders().kept.forget(left.id)


def used(container: RedisContainer) -> str:
    """Use a container, change something in it, and return its id."""
    with container:
        with container.get_client() as client:
            assert client.dbsize() == 0
            client.set("name", "value")
        return container.id


def exists(engine: Engine, id: str) -> bool:
    try:
        return engine.inspect_container(id).state.running
    except ResourceNotFound:
        return False


def test_the_second_takes_up_the_first_made_as_new(make: Make, told: list[Startup]) -> None:
    assert used(make()) == used(make())
    assert [(startup.how, startup.note) for startup in told] == [
        ("started", "made anew for reuse: it is the first"),
        ("reused", ""),
    ]


def test_it_can_do_what_a_started_one_can(make: Make) -> None:
    used(make())
    with make() as server:
        assert server.borrowed
        assert server.status == "running"
        assert "Ready to accept connections" in server.logs()
        assert server.inspect().ports["6379/tcp"][0].host == server.get_exposed_port(6379)
        assert server.exec(["redis-cli", "ping"]).output == b"PONG\n"


def test_another_definition_is_another_container(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("one")
    changes: list[Callable[[RedisContainer], object]] = [
        lambda server: server.with_env("OTHER", "1"),
        lambda server: server.with_server_settings(maxmemory="64mb"),
        lambda server: server.with_copy_into_container(b"content", "/file"),
        lambda server: server.with_copy_into_container(b"other", "/file"),
        lambda server: server.with_copy_into_container(file, "/file"),
        lambda server: server.with_memory_limit("512m"),
        lambda server: server.with_tmpfs_mount("/mine"),
    ]
    keys = [make().reuse_key()]
    for change in changes:
        server = make()
        change(server)
        keys.append(server.reuse_key())
    file.write_text("two")
    keys.append(make().with_copy_into_container(file, "/file").reuse_key())
    assert len(set(keys)) == len(keys)
    assert make().reuse_key() == keys[0]


def test_while_one_uses_it_another_has_one_of_its_own(make: Make, engine: Engine, told: list[Startup]) -> None:
    with make() as first:
        with make() as second:
            assert first.id != second.id
            assert told[-1].note == "not reused: another run is using it"
            mine = second.id
        assert not exists(engine, mine)
    assert used(make()) != mine


def test_who_is_killed_leaves_it_to_the_next(make: Make, engine: Engine, tmp_path: Path) -> None:
    definition = make()
    program = tmp_path / "program.py"
    program.write_text(
        "import time\nfrom podjig import RedisContainer\n"
        f"server = RedisContainer('redis:8').with_env('MINE', {definition._env['MINE']!r})\n"
        f"server.with_labels({{'podjig-test': {definition._env['MINE']!r}}}).with_reuse(600).start()\n"
        "print(server.id, flush=True)\ntime.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        mine = process.stdout.readline().strip()
        resource = next(item for item in engine.list_containers(labels={"podjig-test": definition._env["MINE"]}))
        verdict = Judge(folders().leases, folders().kept).judge(mine, resource.labels)
        assert (verdict.standing, verdict.by) == ("alive", "nobody")
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while verdict.standing != "kept" and time.monotonic() < deadline:  # its helper process cleans up
        time.sleep(0.1)
        verdict = Judge(folders().leases, folders().kept).judge(mine, resource.labels)
    assert (verdict.standing, verdict.by) == ("kept", "all")
    assert used(definition) == mine


def test_it_is_in_use_also_when_its_maker_is_gone(make: Make, engine: Engine) -> None:
    used(make())
    with make() as server:
        labels = engine.inspect_container(server.id).labels
        other = {**labels, "org.podjig.session": "0" * 12}
        assert Judge(folders().leases, folders().kept).judge(server.id, other).by == "nobody"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda server: server.exec(["true"]), "exec() was called"),
        (lambda server: server.copy_into_container(b"", "/file"), "copy_into_container() was called"),
        (lambda server: server.restart(timeout=0), "has ended"),
        (lambda server: (server.kill(), server.wait()), "has ended"),
        (lambda server: server.freeze(), "freeze() was called"),
        (lambda server: server.engine.remove_container(server.id), "has ended"),
        (lambda server: server.get_client().acl_setuser("mine", enabled=True), "cannot be made as new"),
        (lambda server: server.keep(60, why="to look at it"), "kept for another purpose"),
    ],
    ids=["exec", "copy", "restart", "kill", "freeze", "removed", "user", "kept"],
)
def test_what_is_not_as_new_is_made_anew(
    make: Make, engine: Engine, told: list[Startup], spoil: Callable[[RedisContainer], object], said: str
) -> None:
    with make() as server:
        first = server.id
        spoil(server)
    second = used(make())
    assert second != first
    assert said in told[-1].note
    assert exists(engine, first) is (said == "kept for another purpose")
    assert used(make()) == second


def test_one_whose_time_is_over_is_made_anew(make: Make, engine: Engine, told: list[Startup]) -> None:
    definition = make().with_reuse(0.01)
    first = used(definition)
    time.sleep(0.02)
    assert used(definition) != first
    assert "has expired" in told[-1].note
    assert not exists(engine, first)


@pytest.mark.parametrize("remembered", ["", "{}", '{"server": 1, "config": [], "rest": []}'])
def test_a_record_that_cannot_be_read_is_no_reason_to_fail(make: Make, told: list[Startup], remembered: str) -> None:
    first = used(make())
    key = make().reuse_key()
    record = reuse.read(key)
    assert record is not None
    reuse.write(key, dataclasses.replace(record, remembered=remembered))
    assert used(make()) != first
    assert "last one" in told[-1].note


def test_a_name_that_means_another_image_makes_it_anew(make: Make, engine: Engine, told: list[Startup]) -> None:
    name = f"localhost/podjig-test/{uuid.uuid4().hex}:latest"

    def definition() -> RedisContainer:
        server = make()
        server.image = name
        return server

    images = {tag: engine.inspect_image(f"localhost/podjig/redis:{tag}") for tag in "78"}
    assert images["7"] is not None
    assert images["8"] is not None
    engine.tag_image(images["8"].names[0], name)
    try:
        first = used(definition())
        assert used(definition()) == first
        engine.remove_image(name)
        engine.tag_image(images["7"].names[0], name)
        assert used(definition()) != first
        assert "image has changed" in told[-1].note
    finally:
        engine.remove_image(name)


@pytest.mark.parametrize(
    ("container", "said"),
    [
        (GenericContainer("busybox", command="sleep 60"), "does not know how to make it as new"),
        (RedisContainer("redis:8").with_volume_mapping("/tmp", "/mine"), "bind mount"),
        (RedisContainer("redis:8").expose_host_port(1), "ports of this machine"),
        (RedisContainer("redis:8").with_pull_policy("newer"), "asked for each time"),
        (RedisContainer("redis:8").with_address_file("/file", lambda found: b""), "file made of its addresses"),
        (RedisContainer("redis:8").with_keep(60), "with_keep"),
    ],
    ids=["unknown", "bind", "host-port", "pull", "address-file", "kept"],
)
def test_what_cannot_be_reused_says_why(container: GenericContainer, said: str) -> None:
    assert said in container.reuse_obstacle()


def test_what_cannot_be_reused_is_an_ordinary_container(engine: Engine, told: list[Startup]) -> None:
    with Network() as network, RedisContainer("redis:8").with_network(network).with_reuse() as server:
        mine = server.id
        assert not server.borrowed
    assert told[-1].note.startswith("not reusable: its network")
    assert not exists(engine, mine)


def test_a_start_that_fails_leaves_nothing(make: Make, engine: Engine) -> None:
    server = make().with_command("redis-server --no-such-setting")
    with pytest.raises(Exception, match="exited with code"):
        server.start()
    assert engine.list_containers(labels={"podjig-test": server._env["MINE"]}) == []
    claim = reuse.claim(server.reuse_key())
    assert claim is not None
    claim.release()


def test_a_forked_child_does_not_hold_on_to_it(make: Make) -> None:
    server = make().start()
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        mine = server.id
        server.stop()
        assert used(make()) == mine
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_postgres_too(engine: Engine, told: list[Startup]) -> None:
    import psycopg

    mine = uuid.uuid4().hex

    def definition() -> PostgresContainer:
        server = PostgresContainer("postgres:17", driver=None).with_env("MINE", mine)
        return server.with_labels({"podjig-test": mine}).with_reuse(600)

    ids = []
    for _ in range(3):
        with definition() as server:
            ids.append(server.id)
            with psycopg.connect(server.get_connection_url(), autocommit=True) as connection:
                connection.execute("CREATE TABLE mine ()")
                connection.execute("CREATE DATABASE mine")
                connection.execute("CREATE ROLE mine")
    engine.remove_container(ids[0])
    folders().kept.forget(ids[0])
    assert [startup.how for startup in told] == ["started", "reused", "reused"], [s.note for s in told]
    assert len(set(ids)) == 1


def test_taking_it_up_loads_no_client_of_the_engine(make: Make) -> None:
    definition = make()
    mine = used(definition)
    program = (
        "import sys\nfrom podjig import RedisContainer\n"
        f"server = RedisContainer('redis:8').with_env('MINE', {definition._env['MINE']!r})\n"
        f"server.with_labels({{'podjig-test': {definition._env['MINE']!r}}}).with_reuse(600).start()\n"
        "print(server.id, sorted({'podman', 'requests', 'http.client', 'redis'} & set(sys.modules)))\n"
    )
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert output.split(maxsplit=1) == [mine, "[]\n"]
