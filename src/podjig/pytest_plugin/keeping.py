"""What a failing test has used, kept to be looked at: its containers, and its clean states of servers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from podjig.errors import PodjigError
from podjig.pytest_plugin.services import services_of

if TYPE_CHECKING:
    from podjig.pytest_plugin.usage import Usage

KEPT_FOR = 3600.0
"""Seconds."""

MOST = 5
"""Containers, and states, of one fixture that are kept in a run: to look at more there is no need, and each takes room.
Workers of pytest-xdist keep a part of them each, and one in any case."""

_KEPT = "podjig_kept"
_NOT_KEPT = "podjig_not_kept"
"""Attributes of a report: what was kept, and what was not because enough is kept. xdist's workers send them along."""


class Kept(NamedTuple):
    """Something that was kept.

    Attributes:
        group: What is counted together: "containers of mybox".
        what: What it is, for people, and in which test.
        opens: The command that opens it; empty where there is none.
        removes: The command that removes it; empty where there is none.
        lasts: Nothing but that command removes it.
        container: The container's id; empty for a state.
    """

    group: str
    what: str
    opens: str = ""
    removes: str = ""
    lasts: bool = False
    container: str = ""


class Keeping:
    """Keeps what failing tests have used, and tells how to use it. Takes part where the option ``keep`` says so."""

    def __init__(self, config: pytest.Config, usage: Usage) -> None:
        self._config = config
        self._usage = usage
        self._failed: dict[Any, set[str]] = {}
        self._containers: set[str] = set()
        self._untold: list[Kept] = []
        self._told: list[Kept] = []
        self._passed_over: Counter[str] = Counter()
        self._told_passed_over: Counter[str] = Counter()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """Keep a failing test's containers, before its fixtures end."""
        outcome: Any = yield
        report: pytest.TestReport = outcome.get_result()
        if report.failed:
            names = set(getattr(item, "fixturenames", ()))
            for node in item.listchain():
                self._failed.setdefault(node, set()).update(names)
            self._keep_containers(item, report)
        if self._untold:
            setattr(report, _KEPT, [tuple(each) for each in self._untold])
            self._untold = []
        if self._passed_over:
            setattr(report, _NOT_KEPT, dict(self._passed_over))
            self._passed_over.clear()

    def keep_state(self, request: pytest.FixtureRequest, state: Any) -> bool:
        """Return whether a fixture that ends now is to keep the state it gave: a test that used it has failed.

        Args:
            request: The fixture's.
            state: What it gave; if it is ``Accessible``, the run's summary tells how to open and how to remove it.
        """
        if request.fixturename not in self._failed.get(request.node, ()):
            return False
        group = f"states of {request.fixturename}"
        if not self._has_room(group):
            return False
        what = f"{request.fixturename} of {request.node.nodeid or 'the session'}"
        self._untold.append(_kept_state(group, what, state))
        return True

    def has_kept(self, id: str) -> bool:
        """Whether the container with this id is kept."""
        return id in self._containers

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Collect what was kept; also by forked children, so that they are counted together."""
        for each in getattr(report, _KEPT, ()):
            kept = Kept(*each)
            if kept.container and any(kept.container == other.container for other in self._told):
                continue  # workers share it
            self._told.append(kept)
            if kept.container and kept.container not in self._containers:
                self._keep_too(kept.container)
        self._told_passed_over.update(getattr(report, _NOT_KEPT, {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell how to open and how to remove what was kept."""
        if not self._told:
            return
        terminalreporter.section(f"podjig: kept for {KEPT_FOR / 60:g} minutes")
        for kept in self._told:
            terminalreporter.write_line(kept.what)
            if kept.opens:
                terminalreporter.write_line(f"  open:   {kept.opens}")
            if kept.removes:
                terminalreporter.write_line(f"  remove: {kept.removes}")
            if kept.lasts:
                terminalreporter.write_line("  It stays until you remove it: podjig has not started its server.")
        for group, count in self._told_passed_over.items():
            terminalreporter.write_line(f"{count} more {group} were not kept")

    def _keep_too(self, id: str) -> None:
        """Keep a container that a forked child has kept, if it is this process that would stop it."""
        self._containers.add(id)
        container = services_of(self._config).started(id)
        if container is not None:
            container.keep(KEPT_FOR, why="a test in a forked child failed", hand_over=True)

    def _has_room(self, group: str) -> bool:
        """Whether one more of a group may be kept; count it if not."""
        from podjig.pytest_plugin.xdist import worker_count

        most = max(1, MOST // worker_count(self._config))
        if sum(each.group == group for each in {*self._told, *self._untold}) < most:
            return True
        self._passed_over[group] += 1
        return False

    def _keep_containers(self, item: pytest.Item, report: pytest.TestReport) -> None:
        from podjig.engine.command_lines import podman

        for used in self._usage.used_by(item):
            group = f"containers of {used.description}"
            if used.id in self._containers or not used.is_there or not self._has_room(group):
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
            self._untold.append(Kept(group, what, opens, f"podjig clean {name}", container=used.id))


def _kept_state(group: str, what: str, state: Any) -> Kept:
    from podjig.isolation.protocol import Accessible

    if not isinstance(state, Accessible):
        return Kept(group, what)
    try:
        access = state.access()
    except PodjigError as error:  # it is kept all the same
        return Kept(group, what, f"(not known: {error.message})")
    return Kept(group, what, access.opens, access.removes, access.lasts)
