"""An empty Redis for each test."""

from __future__ import annotations

import pytest

TESTS = """
import pytest

@pytest.mark.parametrize("n", range(4))
def test_it(podjig_redis, n):
    assert podjig_redis.client.dbsize() == 0
    podjig_redis.client.set("key", n)
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_without_any_configuration_each_test_finds_an_empty_redis(project: pytest.Pytester, workers: list[str]) -> None:
    project.makepyfile(TESTS)
    project.runpytest_subprocess(*workers).assert_outcomes(passed=4)


def test_the_url_is_that_of_the_tests_own_database(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import redis

        def test_it(podjig_redis):
            podjig_redis.client.set("key", "value")
            with redis.Redis.from_url(podjig_redis.url) as other:
                assert other.get("key") == b"value"
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_a_mode_that_does_not_exist_is_told(project: pytest.Pytester) -> None:
    project.makeconftest("from podjig import redis_database\nr = redis_database(mode='magic')")
    project.makepyfile("def test_it(r): pass")
    project.runpytest_subprocess().stderr.fnmatch_lines(["*DefinitionError: unknown mode 'magic'*"])
