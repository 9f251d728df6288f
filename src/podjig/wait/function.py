"""Wait for a user's own function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from podjig.errors import DefinitionError
from podjig.wait.strategy import Condition, WaitStrategy
from podjig.wait.target import WaitTarget


class FunctionWaitStrategy(WaitStrategy):
    """Wait until ``function(container)`` returns something true.

    An :class:`OSError` that it raises means "not yet"; name others with ``with_transient_exceptions()``.
    """

    def __init__(self, function: Callable[[Any], object]) -> None:
        self._function = function

    def check(self, target: WaitTarget) -> str | None:
        answer = self._function(target)
        return None if answer else f"it returned {answer!r}"

    def describe(self) -> str:
        return f"{getattr(self._function, '__name__', repr(self._function))}() to return something true"


def as_strategy(condition: Condition) -> WaitStrategy:
    """Return a strategy as it is, a callable as one.

    Raises:
        DefinitionError: It is neither.
    """
    if isinstance(condition, WaitStrategy):
        return condition
    if callable(condition) and not isinstance(condition, type):
        return FunctionWaitStrategy(condition)
    raise DefinitionError(
        f"{condition!r} is neither a wait strategy nor a function",
        hint="give an instance, like LogMessageWaitStrategy('ready'), or a function of the container",
    )
