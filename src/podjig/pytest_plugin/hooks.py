"""Hooks: options, the header line, the marker, and progress that pytest's capture does not swallow."""

from __future__ import annotations

import signal
import sys

import pytest

from podjig import config as settings
from podjig.pytest_plugin import options
from podjig.pytest_plugin.failure import FailureLogs
from podjig.pytest_plugin.isolating import Isolations
from podjig.pytest_plugin.policy import EnginePolicy
from podjig.pytest_plugin.services import Services
from podjig.pytest_plugin.summary import Summary
from podjig.pytest_plugin.usage import Usage

MARKER = "integration: needs a real container; deselect with -m 'not integration'"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option group."""
    options.add(parser)


@pytest.hookimpl(trylast=True)  # the terminal reporter is made by such a hook as well, before this one
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and the plugin's concerns; read the options."""
    config.addinivalue_line("markers", MARKER)
    # The project's settings are those of pytest's root folder, wherever pytest was started.
    config.add_cleanup(settings.look_in(config.rootpath))
    _show_progress(config)
    _clean_up_at_the_end(config)
    options.load(config)
    for name, plugin in _concerns(config).items():
        config.pluginmanager.register(plugin, f"podjig-{name}")


def _concerns(config: pytest.Config) -> dict[str, object]:
    """Return what takes part in the run; what nobody has asked for is not even imported."""
    usage = Usage()
    keeping = None
    isolations = Isolations(config)
    concerns: dict[str, object] = {"services": Services(config), "isolations": isolations, "usage": usage}
    if options.value(config, "mark_integration"):
        from podjig.pytest_plugin.marking import Marking

        concerns["marking"] = Marking()
    if options.value(config, "early"):
        from podjig.pytest_plugin.early import Early

        concerns["early"] = Early()
    if options.value(config, "reuse"):
        from podjig.pytest_plugin.reuse import Reuse

        concerns["reuse"] = Reuse()
    if hasattr(config, "workerinput"):
        from podjig.pytest_plugin.xdist import Worker

        concerns["xdist"] = Worker(config)
    elif config.getoption("dist", "no") != "no":
        from podjig.pytest_plugin.xdist import Controller

        concerns["xdist"] = Controller(config)
    if config.pluginmanager.hasplugin("pytest_forked"):
        from podjig.pytest_plugin.forking import Forking

        concerns["forking"] = Forking(config, isolations)
    if options.value(config, "keep") == "on-failure":
        from podjig.pytest_plugin.keeping import Keeping

        concerns["keeping"] = keeping = Keeping(config, usage)
    concerns["failure"] = FailureLogs(config, usage, keeping)  # after it: around it, so it knows what is kept
    return {**concerns, "policy": EnginePolicy(config), "summary": Summary()}


def pytest_report_header() -> list[str]:
    """Say which engine will run the containers, and what stands in for which image. Starts nothing."""
    from podjig.pytest_plugin.header import header_lines

    return header_lines()


def _show_progress(config: pytest.Config) -> None:
    """Write progress lines past pytest's capture, which would swallow them while a fixture starts."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")
    if reporter is None or capture is None:
        return

    def write(line: str) -> None:
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(line)

    from podjig.image import progress

    progress.send_to(write)
    config.add_cleanup(lambda: progress.send_to(None))


_runs = 0
"""Runs of pytest under way in this process: one, or more where a plugin's tests run pytest inside pytest."""


def _clean_up_at_the_end(config: pytest.Config) -> None:
    """Remove what was started and not stopped, at the end of the outermost run; let SIGTERM be such an end."""
    from podjig.cleanup import signals

    global _runs  # noqa: PLW0603
    _runs += 1
    signals.terminate_with(lambda: pytest.exit.Exception("SIGTERM", returncode=128 + signal.SIGTERM))

    def end() -> None:
        global _runs  # noqa: PLW0603
        _runs -= 1
        session = sys.modules.get("podjig.cleanup.session")
        if session is not None and _runs == 0:
            session.close_sessions()

    config.add_cleanup(end)
