"""Image substitution."""

from __future__ import annotations

import pytest

from podjig.errors import ConfigError
from podjig.image.substitution import substitute

TABLE = {
    "postgres:16": "localhost/podjig/postgres:17",
    "postgres": "mirror.example/pg",
    "redis": "localhost/podjig/redis:8",
    "quay.io/": "mirror.example/quay/",
    "quay.io/special/": "special.example",
    "bitnami/": "mirror.example/b/",
}


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("postgres:16", "localhost/podjig/postgres:17"),  # a whole name
        ("docker.io/library/postgres:16", "localhost/podjig/postgres:17"),  # the same name, written in full
        ("postgres:15", "mirror.example/pg:15"),  # a repository: its tag is carried over
        ("postgres", "mirror.example/pg:latest"),
        ("redis:7.4", "localhost/podjig/redis:8"),  # unless the value has one
        ("quay.io/a/b:1", "mirror.example/quay/a/b:1"),  # a prefix
        ("quay.io/special/b:1", "special.example/b:1"),  # the longest match wins
        ("bitnami/kafka", "mirror.example/b/kafka:latest"),
        ("mysql:8", "docker.io/library/mysql:8"),  # no match
        ("mirror.example/pg:1", "mirror.example/pg:1"),
    ],
)
def test_substitution(name: str, result: str) -> None:
    assert substitute(name, TABLE) == result


def test_a_result_is_not_substituted_again() -> None:
    assert substitute("a", {"a": "b", "b": "c"}) == "docker.io/library/b:latest"


def test_a_digest_is_carried_over() -> None:
    digest = "sha256:" + "a" * 64
    assert substitute(f"redis@{digest}", {"redis": "m.example/redis"}) == f"m.example/redis@{digest}"


@pytest.mark.parametrize("table", [{"postgres": "Not A Name"}, {"Post gres": "x"}])
def test_a_malformed_table_is_an_error_that_names_the_entry(table: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        substitute("postgres", table)
    entry = next(iter(table.items()))
    assert any(repr(side) in caught.value.message for side in entry)
