"""What the containers of a failing test wrote since it began, shown with the failure."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from podjig.container import observer
from podjig.errors import PodjigError, ResourceNotFound
from podjig.pytest_plugin import options
from podjig.pytest_plugin.usage import Usage, Used

if TYPE_CHECKING:
    from podjig.container.running import Running
    from podjig.pytest_plugin.keeping import Keeping

_DEADLINE = 5.0
"""Seconds that all containers of one test together get to tell what they wrote."""
_LINES_ASKED = 2000
"""At most so many lines are asked for: how many of them are cut can be told, of a flood of more only that."""
_LENGTH_OF_LINE = 2000
_SLACK = 2.0
"""Seconds by which the clock of an engine on another machine may be behind."""


class Account(NamedTuple):
    """What is to be told of one container.

    Attributes:
        name: Its name.
        text: What it wrote, or why that is not known.
        died: It ended by itself.
    """

    name: str
    text: str
    died: bool = False


class FailureLogs:
    """Adds a section for each container to the report of a failing test."""

    def __init__(self, config: pytest.Config, usage: Usage, keeping: Keeping | None) -> None:
        self._lines: int = options.value(config, "logs")
        self._keeping = keeping
        self._usage = usage
        self._since = time.time()
        self._in_test = False
        self._parting: dict[str, Account] = {}
        self._silent = ""

    def pytest_configure(self) -> None:
        """Begin to observe."""
        observer.leaving.append(self._leaving)

    def pytest_unconfigure(self) -> None:
        """End it."""
        observer.leaving.remove(self._leaving)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Iterator[None]:
        """Note when a test begins."""
        self._since = time.time()
        self._parting.clear()
        self._in_test = True
        yield
        self._in_test = False

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        """Add the sections."""
        outcome: Any = yield
        report: pytest.TestReport = outcome.get_result()
        if not report.failed or not self._lines:
            return
        try:
            self._tell(report, self._usage.used_by(item))
        except Exception as error:  # noqa: BLE001  whatever it is, it must not hide why the test failed
            report.sections.append(("podjig: logs", f"podjig could not read them: {error!r}"))
        self._since = time.time()  # a failing teardown tells only what came after that
        self._parting.clear()

    def _tell(self, report: pytest.TestReport, containers: list[Used]) -> None:
        missing = [used for used in containers if used.id not in self._parting]
        accounts = {**self._ask(missing), **self._parting}
        told = [(used, accounts.get(used.id) or Account(used.id[:12], self._silent)) for used in containers]
        for used, account in sorted(told, key=lambda each: not each[1].died):
            title = f"podjig: {used.description}, container {account.name} ({used.container.image})"
            report.sections.append((title, account.text))

    def _leaving(self, container: Running) -> None:
        """Ask a container that is removed during a test: should the test fail yet, it would be too late."""
        if self._in_test and self._lines:
            used = self._usage.used("", container)  # type: ignore[arg-type]
            self._parting.update(self._ask([used]))

    def _ask(self, containers: list[Used]) -> dict[str, Account]:
        """Ask containers side by side, until the deadline. A hanging engine is asked once in a run."""
        accounts: dict[str, Account] = {}
        if self._silent:
            return accounts

        def ask(used: Used) -> None:
            accounts[used.id] = _account(used, since=self._since, lines=self._lines, keeping=self._keeping)

        threads = [threading.Thread(target=ask, args=(used,), name="podjig-logs", daemon=True) for used in containers]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + _DEADLINE
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        if any(thread.is_alive() for thread in threads):
            self._silent = f"The engine did not answer within {_DEADLINE:g} s; it is not asked for logs again."
        return dict(accounts)


def _account(used: Used, *, since: float, lines: int, keeping: Keeping | None) -> Account:
    """Ask one container how it is, and what it wrote."""
    from podjig.engine.command_lines import podman

    name = used.container.name or used.id[:12]
    if not used.is_there:
        return Account(name, "It has been removed.")
    died = ""
    try:
        engine = used.container.engine
        info = engine.inspect_container(used.id)
        name = info.name
        if info.state.ended:
            died = f"It has ended, with exit code {info.state.exit_code}"
            died += ", for want of memory.\n" if info.state.oom_killed else ".\n"
        else:  # how it came up is no news once it is up
            since = max(since, used.ready_at)
        if not engine.info.local:
            since -= _SLACK
        chunks = engine.logs(used.id, since=since, tail=_LINES_ASKED)
        wrote = b"".join(chunk.data for chunk in chunks).decode("utf-8", "replace").splitlines()
        lasting = used.container.borrowed or (keeping is not None and keeping.has_kept(used.id))
        where = "" if lasting else ", had it been kept" if keeping else ", with --podjig-keep=on-failure"
        more = f"all of it{where}: {podman(engine, 'logs', name)}"
    except ResourceNotFound:
        return Account(name, "It has been removed.", bool(died))
    except PodjigError as error:
        return Account(name, f"{died}Its logs cannot be read: {error}", bool(died))
    return Account(name, died + _excerpt(wrote, lines, more), bool(died))


def _excerpt(wrote: list[str], lines: int, more: str) -> str:
    """Return the last lines, and what was cut."""
    if not wrote:
        return "It wrote nothing since the test began."
    shown = [line if len(line) <= _LENGTH_OF_LINE else f"{line[:_LENGTH_OF_LINE]}..." for line in wrote[-lines:]]
    cut = len(wrote) - len(shown)
    flood = "more than " if len(wrote) >= _LINES_ASKED else ""
    end = f"({flood}{cut} lines before these since the test began; {more})" if cut else f"({more})"
    return "\n".join([*shown, end])
