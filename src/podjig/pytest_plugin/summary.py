"""What the run has started and what clean states have cost, in the terminal's summary."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from podjig.pytest_plugin.record import records_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from podjig.pytest_plugin.record import IsolationRecord, ServiceRecord


class Summary:
    """The section ``podjig``. There is none where no container was used, and none with ``-q``."""

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Write it."""
        records = records_of(config)
        verbosity = config.get_verbosity() if hasattr(config, "get_verbosity") else config.option.verbose
        if verbosity < 0 or not (records.services or records.isolations):
            return
        terminalreporter.section("podjig")
        for line in lines(records.services, records.isolations, verbose=verbosity > 0):
            terminalreporter.write_line(line)


def lines(
    services: Iterable[ServiceRecord], isolations: Iterable[IsolationRecord], *, verbose: bool = False
) -> list[str]:
    """Return the summary: a line for each service, and one for each fixture of clean states; verbose, by worker."""
    by_fixture: dict[tuple[str, str], list[ServiceRecord]] = defaultdict(list)
    for service in services:
        by_fixture[service.fixture, service.image].append(service)
    by_state: dict[tuple[str, str], list[IsolationRecord]] = defaultdict(list)
    for isolation in isolations:
        by_state[isolation.fixture, isolation.mode].append(isolation)
    told = []
    for alike in by_fixture.values():
        told += [_service(each) for each in alike] if verbose else [_services(alike)]
    for alike_states in by_state.values():
        told.append(_states(alike_states))
        if verbose and len(alike_states) > 1:
            told += [f"  {each.worker}: {_cost(each.count, each.waited, each.released)}" for each in alike_states]
    return told


def _services(alike: list[ServiceRecord]) -> str:
    """Return the line for all containers of one fixture."""
    first = alike[0]
    words = []
    for how in ("started", "reused"):
        which = [each for each in alike if each.how == how]
        if which:
            seconds = sum(each.seconds for each in which)
            many = (
                f" {len(which)} times, {seconds / len(which):.2f} s each" if len(which) > 1 else f" in {seconds:.2f} s"
            )
            words.append(how + many)
    if any(each.how == "shared" for each in alike):
        workers = len({each.worker for each in alike})
        words.append(f"shared by {workers} worker{'' if workers == 1 else 's'}")
    if first.waited_for:
        words.append(f"waited for {first.waited_for}")
    return f"{_name(first)}: {', '.join(words)}"


def _service(record: ServiceRecord) -> str:
    """Return the line for one container."""
    worker = f" ({record.worker})" if record.worker else ""
    waited = f", waited for {record.waited_for}" if record.waited_for else ""
    container = f", container {record.container[:12]}" if record.container else ""
    note = f"; {record.note}" if record.note else ""
    return f"{_name(record)}{worker}: {record.how} in {record.seconds:.2f} s{waited}{container}{note}"


def _name(record: ServiceRecord) -> str:
    return f"{record.fixture or 'in a test'} ({record.image})"


def _states(alike: list[IsolationRecord]) -> str:
    """Return the line for one fixture's clean states."""
    first = alike[0]
    cost = _cost(
        sum(each.count for each in alike), sum(each.waited for each in alike), sum(each.released for each in alike)
    )
    return f"{first.fixture} ({first.mode}): {cost}"


def _cost(count: int, waited: float, released: float) -> str:
    total = waited + released
    return (
        f"{count} clean state{'' if count == 1 else 's'} in {total:.2f} s, {1000 * total / max(count, 1):.2f} ms each"
    )
