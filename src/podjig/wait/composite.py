"""Wait for several things at once."""

from __future__ import annotations

from podjig.errors import DefinitionError
from podjig.wait.function import as_strategy
from podjig.wait.loop import look
from podjig.wait.strategy import Condition, WaitStrategy
from podjig.wait.target import WaitTarget


class CompositeWaitStrategy(WaitStrategy):
    """Wait until every strategy finds the container ready.

    They are asked side by side under one deadline: the longest of their own, unless this one is given its own.
    """

    def __init__(self, *strategies: Condition) -> None:
        if not strategies:
            raise DefinitionError("a composite wait needs at least one strategy")
        self.strategies: tuple[WaitStrategy, ...] = tuple(as_strategy(strategy) for strategy in strategies)
        self.expects_exit: bool = any(strategy.expects_exit for strategy in self.strategies)
        timeouts = [s.startup_timeout for s in self.strategies if s.startup_timeout is not None]
        self.startup_timeout: float | None = max(timeouts) if timeouts else None

    def check(self, target: WaitTarget) -> str | None:
        for strategy in self.strategies:
            missing = look(target, strategy)
            if missing is not None:
                return f"{strategy.describe()}: {missing}"
        return None

    def describe(self) -> str:
        return " and ".join(strategy.describe() for strategy in self.strategies)


class AnyWaitStrategy(CompositeWaitStrategy):
    """Wait until one of the strategies finds the container ready."""

    def check(self, target: WaitTarget) -> str | None:
        all_missing = []
        for strategy in self.strategies:
            missing = look(target, strategy)
            if missing is None:
                return None
            all_missing.append(f"{strategy.describe()}: {missing}")
        return "; ".join(all_missing)

    def describe(self) -> str:
        return " or ".join(strategy.describe() for strategy in self.strategies)
