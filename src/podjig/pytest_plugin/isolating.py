"""Clean states for tests: one isolation for each server and fixture, made late, closed before its server goes."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from podjig.pytest_plugin.concern import concern_of
from podjig.pytest_plugin.factories import ScopeChoice
from podjig.pytest_plugin.record import records_of

if TYPE_CHECKING:
    from podjig.isolation.protocol import Isolation, Leftover
    from podjig.pytest_plugin.keeping import Keeping

PLUGIN = "podjig-isolations"

Make = Callable[[Any, pytest.FixtureRequest], "Isolation[Any]"]
"""Makes an isolation of a server fixture's value."""

Mode = str | Callable[[pytest.Config], str]
"""Its mode, in a word, or what tells it."""


class LeftoverWarning(UserWarning):
    """A test left something behind in its database that podjig had to put away."""


def isolated_fixture(
    server: str,
    make: Make,
    *,
    mode: Mode = "isolated",
    scope: ScopeChoice = "function",
    name: str | None = None,
    autouse: bool = False,
) -> Any:
    """Return a pytest fixture that gives each test a clean state of the server that another fixture gives.

    In a conftest.py, where ``Topics`` is an :class:`Isolation`::

        kafka = container_fixture(KafkaContainer())
        topic = isolated_fixture("kafka", lambda server, request: Topics(server.get_bootstrap_server()))

    What tests leave behind is told as a warning, what clean states cost is told in the summary, and what failing tests
    have used is kept where the option ``keep`` says so: see :class:`StateAccess`.

    Args:
        server: The name of the server's fixture.
        make: Makes the isolation of that fixture's value and of the request for the first state (``request.config``,
            ``request.scope``), once for each value. It is closed before that fixture ends.
        mode: How a clean state comes about, for the summary: a word, or a function of pytest's configuration.
        scope: The fixture's scope, or a function that tells it (pytest's dynamic scope).
        name: The fixture's name; that of the variable it is assigned to where ``None``.
        autouse: Use it in every test.
    """

    def isolated(request: pytest.FixtureRequest, **servers: Any) -> Iterator[Any]:
        config, fixture = request.config, request.fixturename or server
        isolations = concern_of(config, PLUGIN, Isolations)
        began = time.perf_counter()
        # Of several fixtures of that name, the one that has given the value: public nowhere, there in pytest 7 to 9.
        definition = request._get_active_fixturedef(server)  # noqa: SLF001
        isolation = isolations.of(isolated, definition, lambda: make(servers[server], request))
        state = isolation.acquire(request.node.nodeid)
        acquired = time.perf_counter()
        yield state
        released = time.perf_counter()
        keeping: Keeping | None = config.pluginmanager.get_plugin("podjig-keeping")
        try:
            isolation.release(state, keep=keeping is not None and keeping.keep_state(request, state))
        finally:
            records_of(config).isolation(
                fixture=fixture,
                mode=mode if isinstance(mode, str) else mode(config),
                waited=acquired - began,
                released=time.perf_counter() - released,
            )
            isolations.tell(isolation.leftovers())

    # The server is an argument like any other: pytest sets it up first, and knows which tests need it.
    parameters = [inspect.Parameter(each, inspect.Parameter.KEYWORD_ONLY) for each in ("request", server)]
    isolated.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return pytest.fixture(scope=scope, name=name, autouse=autouse)(isolated)


class Isolations:
    """The run's isolations.

    Attributes:
        told_by_parent: This is a forked child: nobody reads its warnings.
        untold: What tests left behind, where it is told by the parent.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._open: dict[tuple[object, object], Isolation[Any]] = {}
        self.told_by_parent = False
        self.untold: list[Leftover] = []

    def of(self, fixture: object, server: pytest.FixtureDef[Any], make: Callable[[], Isolation[Any]]) -> Isolation[Any]:
        """Return a fixture's isolation of a server, made at the first call, closed before that server's fixture ends.

        Args:
            fixture: The fixture that gives out its states.
            server: The server's fixture.
            make: Makes it.
        """
        key = fixture, server
        if key not in self._open:
            self._open[key] = make()
            server.addfinalizer(lambda: self._close(key))
        return self._open[key]

    def tell(self, leftovers: list[Leftover]) -> None:
        """Warn of what tests left behind, each with the test's name: it may be found when the next is running."""
        if self.told_by_parent:
            self.untold += leftovers
            return
        for each in leftovers:
            for message in _recorded(LeftoverWarning(f"{each.requester} left behind {each.what}")):
                self._config.hook.pytest_warning_recorded.call_historic(
                    kwargs={"warning_message": message, "nodeid": each.requester, "when": "runtest", "location": None}
                )

    def _close(self, key: tuple[object, object]) -> None:
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
