"""Image names."""

from __future__ import annotations

import pytest

from podjig.errors import ImageNameError
from podjig.image.reference import normalise

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("postgres", "docker.io/library/postgres:latest"),
        ("postgres:16", "docker.io/library/postgres:16"),
        ("apache/kafka:4", "docker.io/apache/kafka:4"),
        ("quay.io/minio/minio", "quay.io/minio/minio:latest"),
        ("localhost/podjig/redis:8", "localhost/podjig/redis:8"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
        (f"redis@{DIGEST}", f"docker.io/library/redis@{DIGEST}"),
        (f"redis:7@{DIGEST}", f"docker.io/library/redis:7@{DIGEST}"),
        ("a--b/c__d.e", "docker.io/a--b/c__d.e:latest"),
        (DIGEST, DIGEST),
    ],
)
def test_full_names(name: str, full: str) -> None:
    assert normalise(name) == full
    assert normalise(full) == full


@pytest.mark.parametrize(
    "name", ["", "Postgres", "post gres", "postgres:", "postgres:-1", "x@sha256:12", "a//b", "/a", "a/", "a:b:c", "-a"]
)
def test_malformed_names_are_refused_with_the_name(name: str) -> None:
    with pytest.raises(ImageNameError) as caught:
        normalise(name)
    assert repr(name) in caught.value.message
    assert "postgres:16" in caught.value.hint
