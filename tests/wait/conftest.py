"""A container to wait for, shared by the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from podjig import GenericContainer


@pytest.fixture(scope="module")
def box() -> Iterator[GenericContainer]:
    """A container that does nothing."""
    with GenericContainer("busybox", command="sleep 600") as container:
        yield container
