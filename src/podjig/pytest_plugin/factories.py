"""Fixture factories: a container under a fixture name of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest

from podjig.errors import DefinitionError

if TYPE_CHECKING:
    from podjig.container import GenericContainer

Scope = Literal["session", "package", "module", "class", "function"]


def container_fixture(
    container: GenericContainer, *, scope: Scope = "session", name: str | None = None, autouse: bool = False
) -> Any:
    """Return a pytest fixture that gives a started container and removes it at the end of its scope.

    In a conftest.py::

        pg = container_fixture(PostgresContainer("postgres:16"))


        def test_user(pg):
            engine = create_engine(pg.get_connection_url())

    Args:
        container: What to start. It stays as it is: each start uses a copy.
        scope: The fixture's scope.
        name: The fixture's name; that of the variable it is assigned to where ``None``.
        autouse: Use it in every test.

    Raises:
        DefinitionError: ``container`` is not a container.
    """
    if not hasattr(container, "clone") or isinstance(container, type):
        raise DefinitionError(
            f"container_fixture() needs a container, not {container!r}",
            hint="give an instance, like PostgresContainer('postgres:16')",
        )

    @pytest.fixture(scope=scope, name=name, autouse=autouse)
    def started() -> Iterator[GenericContainer]:
        with container.clone() as running:
            yield running

    return started
