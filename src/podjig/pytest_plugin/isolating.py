"""Clean states for tests: one isolation for each server and fixture, made late, closed before its server goes."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from podjig.pytest_plugin.concern import concern_of
from podjig.pytest_plugin.factories import Scope
from podjig.pytest_plugin.keeping import keep_state
from podjig.pytest_plugin.record import records_of

if TYPE_CHECKING:
    from podjig.isolation.protocol import Isolation, Leftover

PLUGIN = "podjig-isolations"

Make = Callable[[Any, pytest.Config], "Isolation[Any]"]
"""Makes an isolation of a server fixture's value."""

Mode = Callable[[pytest.Config], str]
"""Tells its mode, in a word."""


class LeftoverWarning(UserWarning):
    """A test left something behind in its database that podjig had to put away."""


def isolated_fixture(
    server: str, make: Make, mode: Mode, *, scope: Scope = "function", name: str | None = None, autouse: bool = False
) -> Any:
    """Return a pytest fixture that gives a clean state of the server that another fixture gives.

    Args:
        server: The name of the server's fixture.
        make: Makes the isolation when it is first needed, once for each value of that fixture.
        mode: Its mode, for the summary.
        scope: The fixture's scope.
        name: The fixture's name; that of the variable it is assigned to where ``None``.
        autouse: Use it in every test.
    """

    def isolated(request: pytest.FixtureRequest, **servers: Any) -> Iterator[Any]:
        config, fixture = request.config, request.fixturename or server
        isolations = concern_of(config, PLUGIN, Isolations)
        began = time.perf_counter()
        isolation = isolations.of(isolated, server, servers[server], make)
        state = isolation.acquire(request.node.nodeid)
        acquired = time.perf_counter()
        yield state
        released = time.perf_counter()
        isolation.release(state, keep=keep_state(request, state))
        records_of(config).isolation(
            fixture=fixture,
            mode=mode(config),
            waited=acquired - began,
            released=time.perf_counter() - released,
        )
        isolations.tell(isolation.leftovers())

    # The server is an argument like any other: pytest sets it up first, and knows which tests need it.
    parameters = [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in ("request", server)]
    isolated.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return pytest.fixture(scope=scope, name=name, autouse=autouse)(isolated)


class Isolations:
    """The run's isolations."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._servers: dict[str, pytest.FixtureDef[Any]] = {}
        self._open: dict[tuple[int, int], Isolation[Any]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Remember which definition gives a fixture's value: what depends on it is to end before it does."""
        self._servers[fixturedef.argname] = fixturedef

    def of(self, fixture: object, server: str, value: Any, make: Make) -> Isolation[Any]:
        """Return a fixture's isolation of a server, made at the first call, closed before that server's fixture ends.

        Args:
            fixture: The fixture that gives out its states.
            server: The name of the server's fixture.
            value: That fixture's value.
            make: Makes it.
        """
        key = id(fixture), id(value)
        if key not in self._open:
            self._open[key] = make(value, self._config)
            self._servers[server].addfinalizer(lambda: self._close(key))
        return self._open[key]

    def tell(self, leftovers: list[Leftover]) -> None:
        """Warn of what tests left behind, each with the test's name: it may be found when the next is running."""
        for each in leftovers:
            for message in _recorded(LeftoverWarning(f"{each.requester} left behind {each.what}")):
                self._config.hook.pytest_warning_recorded.call_historic(
                    kwargs={"warning_message": message, "nodeid": each.requester, "when": "runtest", "location": None}
                )

    def _close(self, key: tuple[int, int]) -> None:
        isolation = self._open.pop(key, None)
        if isolation is not None:
            isolation.close()
            self.tell(isolation.leftovers())


def _recorded(warning: LeftoverWarning) -> list[warnings.WarningMessage]:
    """Return what the filters in force let through; never as an error, which would be another test's."""
    with warnings.catch_warnings(record=True) as caught:
        try:
            warnings.warn(warning, stacklevel=3)
        except LeftoverWarning:
            warnings.simplefilter("always")
            warnings.warn(warning, stacklevel=3)
    return caught
