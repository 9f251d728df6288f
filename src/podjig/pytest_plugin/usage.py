"""Which containers a test has used: those its fixtures gave or started, and those it started itself."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from podjig.container import observer

if TYPE_CHECKING:
    from podjig.container import GenericContainer
    from podjig.container.observer import Startup

    Fixture = pytest.FixtureDef[Any]

NAME = "podjig-usage"


class Used(NamedTuple):
    """A container that a test has used.

    Attributes:
        fixture: The fixture that gave or started it; empty where the test did.
        container: The container.
        id: Its id: the container itself forgets that when it is stopped.
        ready_at: When it became ready, in seconds since the epoch; 0 where that was not seen.
    """

    fixture: str
    container: GenericContainer
    id: str
    ready_at: float = 0.0

    @property
    def is_there(self) -> bool:
        """Whether the container can still be asked."""
        return self.container.started and self.container.id == self.id

    @property
    def description(self) -> str:
        """Whose it is, for people."""
        return self.fixture or "the test's own"


class Usage:
    """Watches fixtures and containers come and go. Costs next to nothing in a run without containers."""

    def __init__(self) -> None:
        self._of_fixture: dict[Fixture, list[Used]] = {}
        self._setting_up: list[Fixture] = []
        self._of_test: list[Used] = []
        self._ready_at: dict[str, float] = {}

    def pytest_configure(self) -> None:
        """Begin to observe."""
        observer.observers.append(self._observe)

    def pytest_unconfigure(self) -> None:
        """End it."""
        observer.observers.remove(self._observe)

    def used_by(self, item: pytest.Item) -> list[Used]:
        """Return the containers that a test has used so far, also those that are gone since it began."""
        if not (self._of_test or self._of_fixture):
            return []
        found = {used.id: used for used in self._of_test}
        for fixture in self._fixtures_of(item):  # in the order of their setup: of several that give it, the first
            for used in self._of_fixture[fixture]:
                found.setdefault(used.id, used)
        return list(found.values())

    def used(self, fixture: str, container: GenericContainer) -> Used:
        """Return what is known of a container that a fixture has given or started."""
        return Used(fixture, container, container.id, self._ready_at.get(container.id, 0.0))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Iterator[None]:
        """Begin a test."""
        self._of_test = []
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """Note what the fixtures gave that now end."""
        self._of_test = self.used_by(item)
        yield

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Fixture) -> Iterator[None]:
        """Note what a fixture starts, and what it gives."""
        self._setting_up.append(fixturedef)
        outcome: Any = yield
        self._setting_up.pop()
        given = outcome.excinfo is None and _started_container(outcome.get_result())
        if given:
            self._note(fixturedef, given)

    def pytest_fixture_post_finalizer(self, fixturedef: Fixture) -> None:
        """Forget a fixture's containers."""
        self._of_fixture.pop(fixturedef, None)

    def _observe(self, startup: Startup) -> None:
        container: Any = startup.container
        self._ready_at[container.id] = time.time()
        from podjig.pytest_plugin.start import Start

        if Start.of_this_thread() is not None:  # it will be a fixture's value
            return
        if self._setting_up:
            self._note(self._setting_up[-1], container)
        elif threading.current_thread() is threading.main_thread():
            self._of_test.append(self.used("", container))

    def _note(self, fixture: Fixture, container: GenericContainer) -> None:
        used = self.used(fixture.argname, container)
        known = self._of_fixture.setdefault(fixture, [])
        if all(each.id != used.id for each in known):
            known.append(used)

    def _fixtures_of(self, item: pytest.Item) -> list[Fixture]:
        if not self._of_fixture:
            return []
        # What the test has asked for so far, by name or with getfixturevalue(): public nowhere, there in pytest 7 to 9.
        asked: Any = getattr(getattr(item, "_request", None), "_fixture_defs", ())
        return [
            fixture
            for fixture in self._of_fixture
            if fixture.argname in asked and item.nodeid.startswith(getattr(fixture, "baseid", ""))
        ]


def _started_container(value: Any) -> GenericContainer | None:
    """Return a fixture's value if it is a started container."""
    module = sys.modules.get("podjig.container.generic")
    if module is None or not isinstance(value, module.GenericContainer):
        return None
    found: GenericContainer = value
    return found if found.started else None
