"""What a failing test has used is kept, and can be opened and removed with the commands that are told."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from plugin.forking import FORKED
from plugin.talking import CONFTEST
from podjig import PostgresContainer, RedisContainer
from podjig.engine.protocol import Engine

KEEP = "--podjig-keep=on-failure"


@pytest.fixture(autouse=True)
def talking(project: pytest.Pytester, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A project with containers; what it keeps is removed at the end."""
    mark = os.urandom(8).hex()
    monkeypatch.setenv("MARK", mark)
    project.makeconftest(CONFTEST)
    yield
    for container in engine.list_containers(labels={"podjig-test": mark}):
        engine.remove_container(container.id)


def kept(engine: Engine) -> list[str]:
    """Return the names of the project's containers that are there."""
    return sorted(container.name for container in engine.list_containers(labels={"podjig-test": os.environ["MARK"]}))


def told(result: pytest.RunResult) -> dict[str, dict[str, str]]:
    """Return the summary's commands: container or fixture -> ``open``, ``remove`` -> the command."""
    found: dict[str, dict[str, str]] = {}
    current = ""
    for line in result.outlines:
        name = re.match(r"(?:container )?(\S+) (?:\(|of )", line)
        command = re.match(r"  (open|remove): +(.*)", line)
        if command:
            found.setdefault(current, {})[command[1]] = command[2]
        elif name:
            current = name[1]
    return found


def run(command: str, said: bytes = b"") -> str:
    """Run a command as it was told, without a terminal, and return what it wrote."""
    # -t needs a terminal, which there is not
    words = ["/bin/sh", "-c", command.replace(" -it ", " -i ")]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # that of an environment that is activated
    done = subprocess.run(
        words, input=said, check=True, capture_output=True, timeout=60, env={**os.environ, "PATH": path}
    )
    return done.stdout.decode()


def test_by_default_nothing_is_kept(project: pytest.Pytester, engine: Engine) -> None:
    project.makepyfile("def test_it(mine, shared): assert False")
    result = project.runpytest_subprocess()
    assert kept(engine) == []
    assert told(result) == {}


def test_containers_of_failing_tests_alone_are_kept_and_the_commands_work(
    project: pytest.Pytester, engine: Engine
) -> None:
    project.makepyfile(
        """
        from conftest import say
        def test_fails(mine, shared):
            mine.exec(["sh", "-c", "echo found > /tmp/note"])
            say(mine, "hello")
            assert False
        def test_passes(mine): pass
        """
    )
    result = project.runpytest_subprocess("-p", "no:randomly", KEEP)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*podjig: kept for 60 minutes*", "container * (busybox), * in *::test_fails"])
    result.stdout.fnmatch_lines(["hello", "(all of it: *podman logs *)"])
    commands = told(result)
    assert sorted(commands) == kept(engine)
    assert len(commands) == 2, "one of the fixture, one of the session"
    found = [run(command["open"], b"cat /tmp/note 2>/dev/null; exit 0") for command in commands.values()]
    assert sorted(found) == ["", "found\n"]
    for command in commands.values():
        assert command["remove"].startswith("podjig clean ")
        run(command["remove"])
    assert kept(engine) == []


def test_a_fixture_that_stops_its_container_by_hand_lets_it_live(project: pytest.Pytester, engine: Engine) -> None:
    project.makepyfile(
        """
        import pytest
        from conftest import box
        @pytest.fixture
        def by_hand(request):
            running = box().start()
            request.addfinalizer(running.stop)
            return running
        def test_it(by_hand): assert False
        """
    )
    assert sorted(told(project.runpytest_subprocess(KEEP))) == kept(engine) != []


def test_one_shared_by_xdists_workers_is_kept_once(project: pytest.Pytester, engine: Engine) -> None:
    project.makepyfile(
        """
        import pytest
        from conftest import box
        from podjig import container_fixture
        one = container_fixture(box(), shared=True)
        @pytest.mark.parametrize("n", range(4))
        def test_it(one, n): assert False
        """
    )
    result = project.runpytest_subprocess("-n", "2", KEEP)
    result.assert_outcomes(failed=4)
    assert list(told(result)) == kept(engine)
    assert result.stdout.str().count("  open: ") == len(kept(engine)) == 1


def test_podman_is_told_of_an_engine_that_is_not_ours(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    from podjig.engine.command_lines import podman

    monkeypatch.delenv("CONTAINER_HOST", raising=False)
    words = shlex.split(podman(engine, "exec", "a b"))
    assert words[-3:] == ["podman", "exec", "a b"] or words[-5:-2] == ["podman", "--url", engine.info.address]
    monkeypatch.setenv("CONTAINER_HOST", "tcp://elsewhere.example:1")
    if "--url" not in words:  # the private service: its store is this machine's
        assert podman(engine, "ps").startswith("env -u CONTAINER_HOST ")


STATES = """
from podjig import postgres_database, redis_database

pool, template, rolled, truncated = (
    postgres_database(mode=mode, name=name)
    for mode, name in (("pool", "pool"), ("template", "template"), ("rollback", "rolled"), ("truncate", "truncated"))
)
index, prefix, server = (redis_database(mode=mode, name=mode) for mode in ("index", "prefix", "server"))
"""


def test_in_every_mode_the_states_of_failing_tests_are_kept_and_the_commands_work(
    project: pytest.Pytester, engine: Engine
) -> None:
    project.makeconftest(STATES)
    project.makepyfile(
        """
        def test_fails(pool, template, rolled, truncated, index, prefix, server):
            for database in (pool, template, rolled, truncated):
                connection = database.connect()
                connection.execute("CREATE TABLE found (word text)")
                connection.execute("INSERT INTO found VALUES ('kept')")
                connection.commit()
                if database is not rolled:
                    connection.close()
            for database in (index, prefix, server):
                database.client.set(database.key("found"), "kept")
            rolled.connect().execute("SELECT nonsense")  # which leaves its transaction aborted

        def test_passes(pool, template, rolled, truncated, index, prefix, server):
            print("passed with", pool.name, template.name)
        """
    )
    result = project.runpytest_subprocess("-p", "no:randomly", KEEP, "-rP")
    result.assert_outcomes(failed=1, passed=1)
    commands = told(result)
    try:
        for mode in ("pool", "template", "rolled", "truncated"):
            assert run(f"{commands[mode]['open']} -At -c 'SELECT word FROM found'") == "kept\n", mode
        for mode in ("index", "server"):
            assert run(f"{commands[mode]['open']} get found") == "kept\n", mode
        (key,) = run(commands["prefix"]["open"]).split()
        assert key.endswith(":found")
        passed = re.search(r"passed with (\S+) (\S+)", result.stdout.str())
        assert passed
        databases = f"{commands['truncated']['open']} -At -c 'SELECT datname FROM pg_database'"
        assert not set(passed.groups()).intersection(run(databases).split())

        for mode in ("pool", "template", "rolled"):
            run(commands[mode]["remove"])
        left = [name for name in run(databases).split() if name.startswith("podjig_") and "template_" not in name]
        assert [name for name in left if name in commands["truncated"]["open"]] == left
        run(commands["index"]["remove"])
        assert run(f"{commands['index']['open']} dbsize") == "0\n"
        run(commands["prefix"]["remove"])
        assert run(commands["prefix"]["open"]).split() == []
        run(commands["server"]["remove"])
        assert commands["server"]["remove"].split()[-1] not in {each.name for each in engine.list_containers()}
    finally:
        for name in commands.keys() & {each.name for each in engine.list_containers()}:
            run(commands[name]["remove"])


@pytest.mark.parametrize("options", [["-n", "0"], ["-n", "2"], ["--forked"]], ids=" ".join)
def test_only_the_first_few_are_kept_and_no_other_test_suffers(
    project: pytest.Pytester, engine: Engine, options: list[str]
) -> None:
    project.makeconftest(f"{FORKED}\n{STATES}")
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(14))
        def test_it(index, template, n):
            assert index.client.dbsize() == 0
            index.client.set("found", n)
            assert n % 2
        """
    )
    result = project.runpytest_subprocess("-p", "no:randomly", KEEP, *options)
    result.assert_outcomes(failed=7, passed=7)
    lines = [line for line in result.outlines if line.startswith(("index of ", "template of "))]
    opens = [line.partition("open: ")[2] for line in result.outlines if "open: " in line]
    try:
        most = 4 if "2" in options else 5  # so many for each worker as make up no more than 5 together
        assert len(lines) <= 2 * most, lines
        assert len(lines) >= 4, lines
        result.stdout.fnmatch_lines(["* more states of index were not kept"])
        found = [run(f"{command} get found").strip() for command in opens if "redis-cli" in command]
        assert set(found) <= {str(n) for n in range(0, 14, 2)}
        assert len(set(found)) == len(found) == len(lines) / 2, "one was flushed, or given to another test"
    finally:
        for name in told(result).keys() & {each.name for each in engine.list_containers()}:
            run(told(result)[name]["remove"])


def test_what_is_kept_on_a_server_that_podjig_did_not_start_stays_and_that_is_said(
    project: pytest.Pytester, engine: Engine
) -> None:
    project.makeconftest(
        """
        import os
        from podjig import postgres_database, redis_database
        import pytest

        @pytest.fixture(scope="session")
        def pg_url():
            return os.environ["PG_URL"]

        @pytest.fixture(scope="session")
        def redis_url():
            return os.environ["REDIS_URL"]

        db = postgres_database("pg_url", mode="template")
        cache = redis_database("redis_url")
        """
    )
    project.makepyfile("def test_it(db, cache):\n    cache.client.set('found', 'kept')\n    assert False")
    with (
        PostgresContainer("postgres:17", driver=None) as pg,
        RedisContainer("redis:8") as redis,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("PG_URL", pg.get_connection_url())
        patch.setenv("REDIS_URL", redis.get_connection_url())
        result = project.runpytest_subprocess(KEEP)
        result.assert_outcomes(failed=1)
        assert result.stdout.str().count("It stays until you remove it: podjig has not started its server.") == 2
        for name, client in (("db", "psql"), ("cache", "redis-cli")):
            words = shlex.split(told(result)[name]["remove"])
            assert words[0] == client
            if shutil.which(client):
                run(told(result)[name]["remove"])
            else:  # run it where there is one
                inside = pg if client == "psql" else redis
                local = [word.replace(str(inside.get_exposed_port(inside.port)), str(inside.port)) for word in words]
                assert inside.exec(local).exit_code == 0, local
        with psycopg.connect(pg.get_connection_url()) as connection:
            names = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'podjig%'").fetchall()
        assert [name for (name,) in names if "template" not in name] == []
        with redis.get_client() as left:
            assert left.dbsize() == 0
