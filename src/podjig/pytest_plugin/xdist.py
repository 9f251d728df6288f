"""pytest-xdist: one container for all workers, which the controller removes when the last is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from podjig.errors import ConfigError
from podjig.pytest_plugin import options
from podjig.pytest_plugin.record import records_of

if TYPE_CHECKING:
    from podjig.container import GenericContainer
    from podjig.pytest_plugin.services import Wanted
    from podjig.pytest_plugin.shared_services import SharedServices
    from podjig.pytest_plugin.sharing import Sharing

_KEY = "podjig"
"""Of xdist's ``workerinput`` and ``workeroutput``."""

_SHARED = pytest.StashKey["SharedServices"]()


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def worker_id(config: pytest.Config) -> str:
    """Return this worker's name, like ``"gw0"``; empty where there are no workers."""
    return str(_input(config).get("workerid", ""))


def worker_count(config: pytest.Config) -> int:
    """Return how many workers there are at a time; 1 where there are none."""
    return int(_input(config).get("workercount", 1))


def may_share(config: pytest.Config, wanted: Wanted) -> bool:
    """Whether what a fixture gives may be one for all workers, as far as can be told without its definition."""
    if not is_worker(config) or wanted.scope != "session" or wanted.service.shared is False:
        return False
    return bool(options.value(config, "xdist") == "shared")


def is_shared(config: pytest.Config, wanted: Wanted) -> bool:
    """Whether what a fixture gives is one for all workers."""
    if not may_share(config, wanted):
        return False
    from podjig.pytest_plugin.shared_services import can_share

    try:
        return can_share(wanted.service.make(config, wanted.param), wanted.service)
    except Exception:  # noqa: BLE001  what is wrong with it, its fixture will tell
        return False


def shared_services(config: pytest.Config, wanted: Wanted, container: GenericContainer) -> SharedServices | None:
    """Return through whom this worker gets ``container``; ``None`` if it is to start one itself.

    Raises:
        ConfigError: It is to be shared, and the controller has told nothing of it.
    """
    if not may_share(config, wanted):
        return None
    from podjig.pytest_plugin.shared_services import SharedServices, can_share

    if not can_share(container, wanted.service):
        return None
    if _SHARED not in config.stash:
        address = _input(config).get(_KEY)
        if not address:
            raise ConfigError(
                f"worker {worker_id(config)} of pytest-xdist was told nothing about shared containers by its "
                "controller, in which podjig's plugin does not seem to run",
                hint="--podjig-xdist=worker starts a container for each worker",
            )
        config.stash[_SHARED] = SharedServices(address, worker_id(config))
    return config.stash[_SHARED]


class Controller:
    """In the process that starts the workers. Costs a bound socket and a waiting thread, and that only with workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._sharing: Sharing | None = None

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker where to ask for what is shared."""
        if self._sharing is None:
            from podjig.pytest_plugin.sharing import Sharing

            self._sharing = Sharing()
        node.workerinput[_KEY] = self._sharing.address

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker has noted."""
        dumped = getattr(node, "workeroutput", {}).get(_KEY)
        if dumped is not None:
            records_of(self._config).load(dumped)

    def pytest_unconfigure(self) -> None:
        """End. The workers are gone by now; what is theirs together goes with this process's session."""
        if self._sharing is not None:
            self._sharing.close()


class Worker:
    """In a worker."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_configure(self) -> None:
        """Have progress shown by the controller: nobody reads what a worker writes."""
        address = _input(self._config).get(_KEY)
        if address and options.value(self._config, "xdist") == "shared":
            from podjig.image import progress

            def say(line: str) -> None:
                from podjig.pytest_plugin.shared_services import say

                say(address, line)

            progress.send_to(say)
            self._config.add_cleanup(lambda: progress.send_to(None))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Hand over what was noted."""
        output: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
        output[_KEY] = records_of(self._config).dump()


def _input(config: pytest.Config) -> dict[str, Any]:
    found: dict[str, Any] = getattr(config, "workerinput", {})
    return found
