"""What a failing test has used is kept, and can be opened and removed with the commands that are told."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin.talking import CONFTEST
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
    """Return the summary's commands: container -> ``open``, ``remove`` -> the command."""
    found: dict[str, dict[str, str]] = {}
    current = ""
    for line in result.outlines:
        name = re.match(r"container (\S+) \(", line)
        command = re.match(r"  (open|remove): +(.*)", line)
        if name:
            current = name[1]
            found[current] = {}
        elif command:
            found[current][command[1]] = command[2]
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
        def test_fails(mine, shared):
            mine.exec(["sh", "-c", "echo found > /tmp/note"])
            assert False
        def test_passes(mine): pass
        """
    )
    result = project.runpytest_subprocess("-p", "no:randomly", KEEP)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*podjig: kept for 60 minutes*", "container * (busybox), * in *::test_fails"])
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
    assert len(kept(engine)) == 1


def test_podman_is_told_of_an_engine_that_is_not_ours(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    from podjig.pytest_plugin.command_lines import podman

    monkeypatch.delenv("CONTAINER_HOST", raising=False)
    words = shlex.split(podman(engine, "exec", "a b"))
    assert words[-3:] == ["podman", "exec", "a b"] or words[-5:-2] == ["podman", "--url", engine.info.address]
    monkeypatch.setenv("CONTAINER_HOST", "tcp://elsewhere.example:1")
    if "--url" not in words:  # the private service: its store is this machine's
        assert podman(engine, "ps").startswith("env -u CONTAINER_HOST ")


def test_the_databases_of_failing_tests_are_kept_and_opened_with_the_commands(
    project: pytest.Pytester, engine: Engine
) -> None:
    project.makepyfile(
        """
        def test_fails(podjig_postgres, podjig_redis):
            with podjig_postgres.connect() as connection:
                connection.execute("CREATE TABLE found (word text)")
                connection.execute("INSERT INTO found VALUES ('kept')")
            podjig_redis.client.set("found", "kept, too")
            assert False
        def test_passes(podjig_postgres, podjig_redis):
            print("passed with", podjig_postgres.name)
        """
    )
    result = project.runpytest_subprocess("-p", "no:randomly", KEEP, "-rP")
    result.assert_outcomes(failed=1, passed=1)
    opens = [line.partition("open:")[2].strip() for line in result.outlines if line.startswith("  open:")]
    try:
        psql = next(command for command in opens if "psql" in command)
        redis_cli = next(command for command in opens if "redis-cli" in command)
        assert run(f"{psql} -At -c 'SELECT word FROM found'") == "kept\n"
        assert run(f"{redis_cli} get found") == "kept, too\n"
        passed = re.search(r"passed with (\S+)", result.stdout.str())
        assert passed
        assert passed[1] not in run(f"{psql} -At -c 'SELECT datname FROM pg_database'").split()
    finally:
        for command in told(result).values():
            run(command["remove"])
    assert [name for name in told(result) if name in {each.name for each in engine.list_containers()}] == []
