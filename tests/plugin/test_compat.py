"""Other plugins beside this one, and fixtures of the same name."""

from __future__ import annotations

import pytest

from plugin.talking import CONFTEST


@pytest.fixture(autouse=True)
def talking(project: pytest.Pytester, mark: str) -> None:
    """A project with container fixtures."""
    project.makeconftest(CONFTEST)


def test_async_tests_of_both_plugins_and_timeouts_get_on_with_the_fixtures(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncio
        import anyio
        import pytest
        import pytest_asyncio

        @pytest_asyncio.fixture
        async def through_asyncio(mine):
            await asyncio.sleep(0)
            yield mine

        @pytest.fixture
        async def through_anyio(mine):
            await anyio.sleep(0)
            yield mine

        @pytest.fixture
        def anyio_backend(): return "asyncio"

        @pytest.mark.asyncio
        async def test_asyncio(through_asyncio, shared):
            assert through_asyncio.status == shared.status == "running"

        @pytest.mark.anyio
        async def test_anyio(through_anyio, shared):
            assert through_anyio.status == shared.status == "running"

        @pytest.mark.timeout(60, method="thread")
        def test_timeout(shared): assert shared.status == "running"

        @pytest.mark.asyncio
        async def test_that_fails(through_asyncio): assert False
        """
    )
    result = project.runpytest_subprocess("-p", "randomly", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*podjig: mine, container *"])


def test_a_timeout_while_a_container_is_used_is_a_failure_like_any_other(project: pytest.Pytester) -> None:
    project.makepyfile(
        "import pytest, time\n"
        "from conftest import say\n"
        "@pytest.mark.timeout(2, func_only=True, method='signal')\n"
        "def test_it(mine):\n    say(mine, 'before the end')\n    time.sleep(60)\n"
    )
    result = project.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Timeout*", "*podjig: mine, container *", "before the end"])


def test_unittest_classes_use_the_fixtures_as_they_use_others(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import unittest
        import pytest

        @pytest.mark.usefixtures("shared")
        class TestIt(unittest.TestCase):
            @pytest.fixture(autouse=True)
            def take(self, mine): self.mine = mine
            def test_one(self): assert self.mine.status == "running"
            def test_two(self): self.fail("so")
        """
    )
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*podjig: mine, container *"])


def test_a_conftest_and_another_plugin_may_define_a_fixture_of_the_same_name(project: pytest.Pytester) -> None:
    # Of two plugins, the one that is registered last wins; a conftest.py wins over both. Which it was, pytest tells.
    project.makeconftest("pytest_plugins = ['theirs']")
    project.makepyfile(
        theirs="import pytest\n@pytest.fixture\ndef podjig_postgres(): return 'theirs'\n",
        test_theirs="def test_it(podjig_postgres): assert podjig_postgres == 'theirs'\n",
    )
    folder = project.mkdir("inner")
    (folder / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef podjig_postgres(podjig_postgres): return f'over {podjig_postgres}'\n",
        encoding="utf-8",
    )
    (folder / "test_inner.py").write_text(
        "def test_it(podjig_postgres): assert podjig_postgres == 'over theirs'\n", encoding="utf-8"
    )
    project.runpytest_subprocess("test_theirs.py", "inner").assert_outcomes(passed=2)
    result = project.runpytest_subprocess("--fixtures", "-v", "test_theirs.py")
    result.stdout.fnmatch_lines(["podjig_postgres -- theirs.py:*"])
