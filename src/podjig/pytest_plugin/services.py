"""The run's container fixtures: which test needs which, and where each is started, waited for and stopped."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from podjig.container import observer
from podjig.pytest_plugin.concern import concern_of
from podjig.pytest_plugin.record import ServiceRecord, records_of

if TYPE_CHECKING:
    from podjig.container import GenericContainer
    from podjig.container.observer import Startup
    from podjig.pytest_plugin.start import Start

PLUGIN = "podjig-services"

_ATTRIBUTE = "podjig_service"

_PATIENCE = 10.0
"""Seconds a start may go on at the session's end. What it still makes then goes with podjig's own session."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ServiceFixture:
    """What a fixture that gives a container is made of; the fixture's function carries it.

    Attributes:
        make: Gives the container, not started, for a value of ``request.param`` (``None`` where there is none).
        site: Where the fixture is defined: the same in all workers of a run.
        shared: One for all workers of pytest-xdist; ``None``: if each can be given a part of its own.
        partition: Whether a worker gets such a part of a shared one.
    """

    make: Callable[[pytest.Config, Any], GenericContainer]
    site: str
    shared: bool | None = None
    partition: bool = True


Key = tuple[ServiceFixture, str, str | int]
"""A container fixture's, with the parameter: the name of an image, or an object's identity."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A container fixture as one test needs it.

    Attributes:
        service: What it is made of.
        fixture: The fixture's name.
        scope: The fixture's scope.
        param: The value of ``request.param``; ``None`` where there is none.
        index: Which of the parameters that is.
    """

    service: ServiceFixture
    fixture: str
    scope: str
    param: Any = None
    index: int = 0

    @property
    def key(self) -> Key:
        """What tells it from others that are up at the same time. Not the index: of a test's own choice it is 0."""
        return self.service, self.fixture, self.param if isinstance(self.param, str) else id(self.param)

    @property
    def label(self) -> str:
        """The fixture's name, with its parameter."""
        return self.fixture if self.param is None else f"{self.fixture}[{getattr(self.param, 'image', self.param)}]"


def container_of(function: object) -> ServiceFixture | None:
    """Return what a fixture's function gives, if that is a container of podjig's; else ``None``."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, ServiceFixture) else None


def mark(function: Any, service: ServiceFixture) -> None:
    """Say what a fixture's function gives."""
    setattr(function, _ATTRIBUTE, service)


def services_of(config: pytest.Config) -> Services:
    """Return the run's container fixtures.

    Raises:
        ConfigError: The plugin is not loaded.
    """
    return concern_of(config, PLUGIN, Services)


def fixturedefs_of(item: pytest.Item) -> Iterator[pytest.FixtureDef[Any]]:
    """Yield the definitions of all fixtures that a test needs, overridden ones too if they are used."""
    # pytest has no public way to ask; these names are the same from 7.4 to 9.
    info = getattr(item, "_fixtureinfo", None)
    for name in getattr(info, "names_closure", ()):
        for definition in reversed(info.name2fixturedefs.get(name, ())):  # type: ignore[union-attr]
            yield definition
            if name not in definition.argnames:
                break


def wanted_by(item: pytest.Item) -> list[Wanted]:
    """Return the container fixtures that a test needs."""
    callspec = getattr(item, "callspec", None)
    found = []
    for definition in fixturedefs_of(item):
        service = container_of(definition.func)
        if service is None:
            continue
        name, param, index = definition.argname, None, 0
        if callspec is not None and name in callspec.params:
            param, index = callspec.params[name], callspec.indices[name]
        found.append(Wanted(service=service, fixture=name, scope=definition.scope, param=param, index=index))
    return found


class Services:
    """Starts the containers of a run's fixtures, side by side where a test needs several, and stops them.

    Args:
        config: The run's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._begun: dict[Key, Start] = {}  # no fixture has taken it yet
        self._serving: list[Start] = []
        self._held: dict[Key, Start] = {}  # for forked children, to the session's end
        self._putting_away: list[Start] = []
        self._setting_up: list[str] = []
        self._pid = os.getpid()

    def pytest_configure(self) -> None:
        """Begin to observe."""
        observer.observers.append(self._started)

    def pytest_unconfigure(self) -> None:
        """Observe no more."""
        observer.observers.remove(self._started)

    # What fixtures call

    def serve(self, service: ServiceFixture, request: pytest.FixtureRequest) -> Iterator[GenericContainer]:
        """Be the body of a container fixture: give it started, and stop it at the end."""
        __tracebackhide__ = True
        wanted = Wanted(
            service=service,
            fixture=request.fixturename or "",
            scope=request.scope,
            param=getattr(request, "param", None),
            index=getattr(request, "param_index", 0),
        )
        held = self._held.get(wanted.key)
        if held is not None:  # our parent's; or ours, and it ends with the session
            yield held.result()
            return
        start = self._begun.pop(wanted.key, None)
        if start is None or start.is_lost:
            start = self._start(wanted)
            start.run()
        try:
            container = start.result()
        except BaseException as error:
            if error is not start.error:  # an interruption, by Ctrl-C or by a plugin for timeouts: nobody waits for it
                self._put_away(start)
            raise
        self._serving.append(start)
        try:
            yield container
        finally:
            self._serving.remove(start)
            start.end()

    def started(self, id: str) -> GenericContainer | None:
        """Return the container with this id, if this process has started it for a fixture that has not ended."""
        up = (start.container for start in [*self._serving, *self._held.values()])
        return next((each for each in up if each is not None and each.started and each.id == id), None)

    # Starting in advance

    def begin(self, wanted: list[Wanted]) -> None:
        """Begin to start what is not up or under way yet, in the background."""
        up = {start.wanted.key for start in self._serving} | self._held.keys() | self._begun.keys()
        new = {each.key: each for each in wanted if each.key not in up}
        for key, each in new.items():
            self._begun[key] = start = self._start(each)
            start.begin()

    def hold(self, wanted: list[Wanted]) -> None:
        """Start what is not up yet, wait for it, and keep it to the session's end: for children that are forked now."""
        self.begin(wanted)
        for each in wanted:
            if each.key in self._begun:
                self._held[each.key] = self._begun.pop(each.key)
        for start in [*self._held.values(), *self._begun.values(), *self._putting_away]:
            start.wait()  # a child would have its locks, but not its thread
        for start in self._held.values():
            start.note()  # what a child notes nobody reads

    def _start(self, wanted: Wanted) -> Start:
        from podjig.pytest_plugin.start import Start

        return Start(wanted, self._config, self._note)

    def _note(self, start: Start) -> None:
        """Write down how a start went."""
        if start.container is not None and start.error is None:
            records_of(self._config).service(
                ServiceRecord(
                    fixture=start.wanted.label,
                    image=start.container.image,
                    container=start.container.id,
                    seconds=start.seconds,
                    waited_for=start.waited_for,
                    how=start.how,
                    note=start.reuse_note,
                )
            )

    def _put_away(self, start: Start) -> None:
        start.discard()
        self._putting_away = [each for each in [*self._putting_away, start] if not each.has_ended]

    # What tests need

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Before a child is forked to run the test, start what children of this process can share."""
        if self._is_forked(item):
            self.hold([wanted for wanted in wanted_by(item) if wanted.scope == "session"])

    def _is_forked(self, item: pytest.Item) -> bool:
        return bool(self._config.getoption("forked", False) or item.get_closest_marker("forked"))

    @pytest.hookimpl
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin to start all containers that the test needs; neither first, so that it may be skipped, nor last."""
        if self._config.getoption("setupplan", False):
            return
        wanted = wanted_by(item)
        if len(wanted) > 1:
            self.begin(wanted)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Iterator[None]:
        """Put away what was begun for the test alone and is not used: another fixture has failed."""
        yield
        for key, start in list(self._begun.items()):
            if start.wanted.scope != "session":
                self._put_away(self._begun.pop(key))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Put away what no fixture has taken."""
        if self._pid != os.getpid():
            return
        for start in [*self._begun.values(), *self._held.values()]:
            self._put_away(start)
        self._begun.clear()
        self._held.clear()
        for start in self._putting_away:
            start.wait(_PATIENCE)

    # Containers that tests and hand-written fixtures start themselves

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Iterator[None]:
        """Know which fixture is being set up: what is started meanwhile is its."""
        self._setting_up.append(fixturedef.argname)
        yield
        self._setting_up.pop()

    def _started(self, startup: Startup) -> None:
        from podjig.pytest_plugin.start import Start, how_of

        start = Start.of_this_thread()
        if start is not None:
            start.told(startup)
            return
        container: Any = startup.container
        records_of(self._config).service(
            ServiceRecord(
                fixture=self._setting_up[-1] if self._setting_up else "",
                image=container.image,
                container=container.id,
                seconds=startup.seconds,
                waited_for=startup.waited_for,
                how=how_of(startup),
                note=startup.note,
            )
        )
