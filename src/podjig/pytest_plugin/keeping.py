"""What a failing test has used, kept to be looked at: its containers, and its clean states of servers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from podjig.errors import PodjigError
from podjig.pytest_plugin import options

if TYPE_CHECKING:
    from podjig.pytest_plugin.usage import Usage

NAME = "podjig-keeping"
KEPT_FOR = 3600.0
"""Seconds."""

_KEPT = "podjig_kept"
"""Attribute of a report: what was kept, as lists of words. xdist's workers send it along."""


def keep_state(request: pytest.FixtureRequest, state: Any) -> bool:
    """Return whether a fixture that ends now is to keep the state it gave: a test that used it has failed.

    Args:
        request: The fixture's.
        state: A ``PostgresDatabase``, ``RedisDatabase`` or the like; the run's summary tells how to open it.
    """
    keeping = request.config.pluginmanager.get_plugin(NAME)
    return isinstance(keeping, Keeping) and keeping.keep_state(request, state)


class Keeping:
    """Keeps what failing tests have used where the option ``keep`` says so, and tells what to do with it."""

    def __init__(self, config: pytest.Config, usage: Usage) -> None:
        self._on_failure = options.value(config, "keep") == "on-failure"
        self._usage = usage
        self._failed: dict[Any, set[str]] = {}
        self._containers: set[str] = set()
        self._untold: list[tuple[str, str, str]] = []
        self._told: list[tuple[str, str, str]] = []

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """Keep a failing test's containers, before its fixtures end."""
        outcome: Any = yield
        report: pytest.TestReport = outcome.get_result()
        if not self._on_failure:
            return
        if report.failed:
            names = set(getattr(item, "fixturenames", ()))
            for node in item.listchain():
                self._failed.setdefault(node, set()).update(names)
            self._keep_containers(item, report)
        if self._untold:
            setattr(report, _KEPT, self._untold)
            self._untold = []

    def keep_state(self, request: pytest.FixtureRequest, state: Any) -> bool:
        """As the function of this name."""
        if request.fixturename not in self._failed.get(request.node, ()):
            return False
        try:
            opens = _opens(state)
        except PodjigError as error:  # it is kept all the same
            opens = f"(the engine does not tell: {error.message})"
        self._untold.append((f"{request.fixturename} of {request.node.nodeid or 'the session'}", opens, ""))
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what was kept."""
        for kept in getattr(report, _KEPT, ()):
            if tuple(kept) not in self._told:  # workers may share a container
                self._told.append(tuple(kept))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell how to open and how to remove what was kept."""
        if not self._told:
            return
        terminalreporter.section(f"podjig: kept for {KEPT_FOR / 60:g} minutes")
        for what, opens, removes in self._told:
            terminalreporter.write_line(what)
            if opens:
                terminalreporter.write_line(f"  open:   {opens}")
            if removes:
                terminalreporter.write_line(f"  remove: {removes}")

    def _keep_containers(self, item: pytest.Item, report: pytest.TestReport) -> None:
        from podjig.pytest_plugin.command_lines import podman

        for used in self._usage.used_by(item):
            if used.id in self._containers or not used.is_there:
                continue
            try:
                used.container.keep(KEPT_FOR, why=f"{item.nodeid} failed", hand_over=True)
                name = used.container.inspect().name
                opens = podman(used.container.engine, "exec", "-it", name, "sh")
            except PodjigError as error:
                report.sections.append((f"podjig: {used.description}", f"It could not be kept: {error}"))
                continue
            self._containers.add(used.id)
            what = f"container {name} ({used.container.image}), {used.description} in {item.nodeid}"
            self._untold.append((what, opens, f"podjig clean {name}"))


def _opens(state: Any) -> str:
    """Return the command that opens a state: with the client of this machine, else with that in the container."""
    if hasattr(state, "dsn"):
        server = state.server
        if shutil.which("psql") or not server.container:
            return f'psql "{state.dsn}"'
        return _inside(server.container, "psql", "-U", server.user, "-d", state.name)
    if hasattr(state, "index"):
        container = state.server.container
        if shutil.which("redis-cli") or container is None or not container.started:
            return f"redis-cli -u {state.url}"
        password = ["-a", state.password] if state.password else []
        return _inside(container.inspect().name, "redis-cli", "-n", str(state.index), *password)
    return ""


def _inside(container: str, *words: str) -> str:
    from podjig.engine.discovery import current_engine
    from podjig.pytest_plugin.command_lines import podman

    return podman(current_engine(), "exec", "-it", container, *words)
