"""A way to a clean state that is none of podjig's own, as a fixture."""

from __future__ import annotations

import re
import sys

import pytest

PREFIXES = """
import itertools
import os

from podjig import Leftover, RedisContainer, StateAccess, container_fixture, isolated_fixture

class Keys:
    def __init__(self, client, prefix):
        self.client, self.prefix = client, prefix

    def access(self):
        return StateAccess(opens=f"look at {self.prefix}", removes=f"remove {self.prefix}")

class Prefixes:
    def __init__(self, server):
        self.client = server.get_client(decode_responses=True)
        self.numbers = itertools.count(1)
        self.left = []

    def acquire(self, requester=""):
        keys = Keys(self.client, f"{os.getpid()}.{next(self.numbers)}:")
        keys.requester = requester
        return keys

    def release(self, state, *, keep=False):
        names = self.client.keys(f"{state.prefix}*")
        locks = [name for name in names if name.endswith("lock")]
        self.left += [Leftover(requester=state.requester, what=f"the lock {name}") for name in locks]
        if names and not keep:
            self.client.delete(*names)

    def leftovers(self):
        found, self.left = self.left, []
        return found

    def close(self):
        print("left at the end:", self.client.dbsize())
        self.client.close()

cache = container_fixture(RedisContainer("redis:8"))
keys = isolated_fixture("cache", lambda server, request: Prefixes(server), mode="prefix")
"""


@pytest.mark.parametrize("options", [["-n", "0", "-s"], ["-n", "2"]], ids=["alone", "xdist"])
def test_it_takes_part_in_summary_warnings_and_keeping(project: pytest.Pytester, options: list[str]) -> None:
    project.makeconftest(PREFIXES)
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_it(keys, n):
            assert keys.client.keys(f"{keys.prefix}*") == []
            keys.client.set(f"{keys.prefix}name", n)

        def test_careless(keys):
            keys.client.set(f"{keys.prefix}lock", 1)

        def test_fails(keys):
            keys.client.set(f"{keys.prefix}name", 1)
            assert False
        """
    )
    result = project.runpytest_subprocess("-p", "no:asyncio", "--podjig-keep=on-failure", *options)
    result.assert_outcomes(passed=5, failed=1, warnings=1)
    shown = result.stdout.str()
    assert re.search(r"keys \(prefix\): 6 clean states in ", shown)
    assert re.search(r"LeftoverWarning: \S+::test_careless left behind the lock \d+", shown)
    assert re.search(r"keys of \S+::test_fails\n  open:   look at \d+\S+:\n  remove: remove \d+", shown)
    if "-s" in options:
        assert "left at the end: 1" in shown
    container = re.search(r"podjig clean (\S+)", shown)
    assert container
    assert project.run(sys.executable, "-m", "podjig.cli", "clean", container[1]).ret == 0


LOGGED = """
import pathlib
import pytest
from podjig import isolated_fixture

def note(what):
    with (pathlib.Path(__file__).parent / "notes").open("a") as file:
        print(what, file=file)

class Logged:
    def __init__(self, server):
        self.server = server
    def acquire(self, requester=""):
        return self.server
    def release(self, state, *, keep=False):
        pass
    def leftovers(self):
        return []
    def close(self):
        note(f"{self.server}: isolation closed")

state = isolated_fixture("server", lambda server, request: Logged(server))

@pytest.fixture(scope="session")
def server():
    yield "above"
    note("above: server ended")
"""


def test_it_is_closed_before_its_own_server_ends_whatever_others_are_called(project: pytest.Pytester) -> None:
    project.makeconftest(LOGGED)
    below = project.mkpydir("below")
    (below / "conftest.py").write_text(
        "import pytest\nfrom podjig import isolated_fixture\n"
        "@pytest.fixture(scope='module')\n"
        "def server(pytestconfig):\n"
        "    yield 'below'\n"
        "    note = pytestconfig.pluginmanager.get_plugin(str(pytestconfig.rootpath / 'conftest.py')).note\n"
        "    note('below: server ended')\n",
        encoding="utf-8",
    )
    (below / "test_b.py").write_text("def test_it(state): assert state == 'below'", encoding="utf-8")
    project.makepyfile(
        test_a="def test_it(server): assert server == 'above'", test_c="def test_it(state): assert state == 'above'"
    )
    result = project.runpytest_subprocess("-p", "no:randomly", "test_a.py", "below", "test_c.py")
    result.assert_outcomes(passed=3)
    assert (project.path / "notes").read_text(encoding="utf-8").splitlines() == [
        "below: isolation closed",
        "below: server ended",
        "above: isolation closed",
        "above: server ended",
    ]


def test_the_scope_may_be_chosen_by_a_function(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        from podjig import postgres_database, redis_database

        def pytest_addoption(parser):
            parser.addoption("--each", action="store_true")

        def scope(fixture_name, config):
            assert fixture_name in ("db", "cache")
            return "function" if config.getoption("each") else "module"

        db = postgres_database(scope=scope, mode="truncate")
        cache = redis_database(scope=scope)
        """
    )
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", [0, 1])
        def test_it(db, cache, n, request):
            before = 0 if request.config.getoption("each") else n
            assert cache.client.dbsize() == before
            cache.client.set(f"key {n}", n)
            with db.connect() as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS mine (n int)")
                assert connection.execute("SELECT count(*) FROM mine").fetchone() == (before,)
                connection.execute("INSERT INTO mine VALUES (1)")
        """
    )
    for option in ("--strict-markers", "--each"):
        project.runpytest_subprocess("-p", "no:randomly", option).assert_outcomes(passed=2)
