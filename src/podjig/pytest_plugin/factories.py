"""Fixture factories: a container under a fixture name of the user's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import pytest

from podjig.errors import DefinitionError
from podjig.pytest_plugin.services import ServiceFixture, mark, services_of

if TYPE_CHECKING:
    from podjig.container import GenericContainer

Scope = Literal["session", "package", "module", "class", "function"]
ScopeChoice = Scope | Callable[[str, pytest.Config], Scope]
"""A scope, or a function that pytest calls with the fixture's name and the configuration, and that returns one."""

_sites: dict[str, int] = {}


def container_fixture(
    container: GenericContainer | Sequence[GenericContainer] | Callable[[], GenericContainer],
    *,
    scope: ScopeChoice = "session",
    name: str | None = None,
    autouse: bool = False,
    images: Sequence[str] | None = None,
    shared: bool | None = None,
) -> Any:
    """Return a pytest fixture that gives a started container and removes it at the end of its scope.

    In a conftest.py::

        pg = container_fixture(PostgresContainer("postgres:16"))


        def test_user(pg):
            engine = create_engine(pg.get_connection_url())

    Containers that one test needs are started side by side, before its other fixtures are set up.

    Args:
        container: What to start. It stays as it is: each start uses a copy. Several of them run each test once with
            each. A function without arguments is called just before the start, and returns what to start.
        scope: The fixture's scope, or a function that tells it (pytest's dynamic scope).
        name: The fixture's name; that of the variable it is assigned to where ``None``.
        autouse: Use it in every test.
        images: Run each test once with each of these images instead of the container's own.
        shared: With pytest-xdist: one container for all workers (``True``), or one for each (``False``). ``None``:
            one for all if it can give each worker a part of its own, as PostgreSQL gives a database. Only a container
            of session scope is ever shared.

    Raises:
        DefinitionError: ``container`` or ``images`` is something else, or what is shared has a narrow scope.
    """
    several = isinstance(container, Sequence) and not isinstance(container, str)
    containers: list[Any] = list(container) if several else [container]  # type: ignore[arg-type]
    if not containers or not all(_is_container(each) or (_is_function(each) and not several) for each in containers):
        raise DefinitionError(
            f"container_fixture() needs a container, not {container!r}",
            hint="give an instance, like PostgresContainer('postgres:16'), several, or a function that returns one",
        )
    if isinstance(images, str):
        raise DefinitionError(f"images={images!r} is no list", hint="give a list, like ['postgres:15', 'postgres:17']")
    if images is not None and (several or not images):
        raise DefinitionError(
            f"images={list(images)!r} does not go with {len(containers)} container(s)",
            hint="give one container and at least one image, or several containers without images",
        )
    if shared and isinstance(scope, str) and scope != "session":
        raise DefinitionError(
            f"a container of scope {scope!r} cannot be shared by the workers of pytest-xdist",
            hint="leave out scope, or shared",
        )

    def make(config: pytest.Config, param: Any) -> GenericContainer:  # noqa: ARG001  what definitions may ask
        __tracebackhide__ = True
        if _is_container(param):
            return _copy(param)
        base = containers[0] if _is_container(containers[0]) else containers[0]()
        if not _is_container(base):
            raise DefinitionError(
                f"the function given to container_fixture() returned {base!r}", hint="return a container, not started"
            )
        made = _copy(base)
        if isinstance(param, str):
            made.image = _image(param)
        elif param is not None:
            raise DefinitionError(
                f"{param!r} is no parameter for a container fixture", hint="give the name of an image, or a container"
            )
        return made

    params: list[Any] | None = (
        [_image(each) for each in images] if images is not None else containers if several else None
    )
    site = _site(sys._getframe(1))  # noqa: SLF001  inspect's would cost its import
    return service_fixture(make, params=params, scope=scope, name=name, autouse=autouse, shared=shared, site=site)


def service_fixture(
    make: Callable[[pytest.Config, Any], GenericContainer],
    *,
    params: Sequence[Any] | None = None,
    scope: ScopeChoice = "session",
    name: str | None = None,
    autouse: bool = False,
    shared: bool | None = None,
    partition: bool = True,
    site: str,
) -> Any:
    """Return a fixture that gives a started container; what :func:`container_fixture` is made of.

    Args:
        make: Gives the container for a value of ``request.param``: an image's name, or a container; ``None`` where
            there is none.
        params: Parameters; each test runs once with each.
        scope: As there.
        name: As there.
        autouse: As there.
        shared: As there.
        partition: Whether a worker gets a part of its own of what is shared.
        site: Where it is defined: the same in all workers of a run, and no other's.
    """
    service = ServiceFixture(make=make, site=site, shared=shared, partition=partition)

    def started(request: pytest.FixtureRequest) -> Iterator[GenericContainer]:
        __tracebackhide__ = True
        yield from services_of(request.config).serve(service, request)

    mark(started, service)
    ids = [getattr(param, "image", param) for param in params] if params is not None else None
    return pytest.fixture(scope=scope, name=name, autouse=autouse, params=params, ids=ids)(started)


def _is_container(value: object) -> bool:
    return hasattr(value, "clone") and not isinstance(value, type)


def _is_function(value: object) -> bool:
    return callable(value) and not isinstance(value, type)


def _copy(container: GenericContainer) -> GenericContainer:
    return container.clone()


def _image(name: str) -> str:
    """Return an image's name, if it is one."""
    from podjig.image.reference import normalise

    normalise(name)
    return name


def _site(frame: Any) -> str:
    """Return a name for the place in the code that calls; in a loop, another each time."""
    place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    _sites[place] = _sites.get(place, 0) + 1
    return f"{place}:{_sites[place]}"
