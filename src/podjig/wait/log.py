"""Wait for something in the container's log."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from podjig.errors import DefinitionError
from podjig.spec import seconds
from podjig.wait.loop import wait_until_ready
from podjig.wait.strategy import WaitStrategy
from podjig.wait.target import WaitTarget

Streams = Literal["either", "both", "stdout", "stderr"]


class LogMessageWaitStrategy(WaitStrategy):
    """Wait until a message stands in the log.

    Args:
        message: A compiled regular expression; or a string, which matches where the log contains it as it is
            or as a regular expression (``^`` and ``$`` match at lines).
        times: How often it must stand there.
        predicate_streams_and: It must stand so often in standard output *and* in standard error.
        stream: Look at ``"stdout"`` or ``"stderr"`` alone; ``"either"`` counts in each of both.

    Raises:
        DefinitionError: The message is empty, ``times`` is less than one or ``stream`` is unknown.
    """

    def __init__(
        self,
        message: str | re.Pattern[str],
        times: int = 1,
        predicate_streams_and: bool = False,
        *,
        stream: Streams = "either",
    ) -> None:
        if not isinstance(message, (str, re.Pattern)) or not message:
            raise DefinitionError(f"log message {message!r} is not a text or pattern", hint="name what to wait for")
        if times < 1:
            raise DefinitionError(f"times must be one or more, not {times!r}")
        if stream not in ("either", "both", "stdout", "stderr"):
            raise DefinitionError(f"unknown stream {stream!r}", hint="use 'stdout', 'stderr', 'either' or 'both'")
        self._message = message
        self._times = times
        self._stream: Streams = "both" if predicate_streams_and else stream

    def check(self, target: WaitTarget) -> str | None:
        counts = {"stdout": 0, "stderr": 0}
        for name, text in _log_texts(target, self._stream).items():
            counts[name] = self._count(text)
        found = min(counts.values()) if self._stream == "both" else max(counts.values())
        return None if found >= self._times else f"found it {found} of {self._times} times"

    def describe(self) -> str:
        message = self._message.pattern if isinstance(self._message, re.Pattern) else self._message
        often = "" if self._times == 1 else f" {self._times} times"
        where = "" if self._stream == "either" else f" on {self._stream.replace('both', 'stdout and stderr')}"
        return f"{message!r}{often} in the log{where}"

    def _count(self, text: str) -> int:
        if isinstance(self._message, re.Pattern):
            return sum(1 for _ in self._message.finditer(text))
        literal = text.count(self._message)
        if literal >= self._times:
            return literal
        try:
            return max(literal, sum(1 for _ in re.finditer(self._message, text, re.MULTILINE)))
        except re.error:
            return literal  # not a regular expression: the literal count is all there is


class _LogPredicate(WaitStrategy):
    """A user's own function over the log's text."""

    def __init__(self, predicate: Callable[[str], object], both: bool) -> None:
        self._predicate = predicate
        self._both = both

    def check(self, target: WaitTarget) -> str | None:
        answers = [self._predicate(text) for text in _log_texts(target, "either").values()]
        return None if (all(answers) if self._both else any(answers)) else "it was not so yet"

    def describe(self) -> str:
        return f"{getattr(self._predicate, '__name__', 'a predicate')}(log) to be true"


def wait_for_logs(
    container: WaitTarget,
    predicate: str | re.Pattern[str] | Callable[[str], object] | WaitStrategy,
    timeout: float | timedelta | None = None,
    interval: float | timedelta | None = None,
    predicate_streams_and: bool = False,
    raise_on_exit: bool = True,
) -> float:
    """Wait until the log says what is looked for, and return the seconds that took.

    Args:
        container: A started container.
        predicate: A text or regular expression, a function of the log's text, or any wait strategy.
        timeout: Seconds; the setting ``startup_timeout`` (60) where ``None``.
        interval: Seconds between two looks; adaptive where ``None``.
        predicate_streams_and: Both standard output and standard error must say it.
        raise_on_exit: End the wait when the container ends; ``False`` waits on until the deadline.

    Raises:
        WaitTimeout: The log did not say it in time.
        ContainerExited: The container ended before.
        DefinitionError: A negative timeout or interval, or a predicate of another kind.
    """
    strategy: WaitStrategy
    if isinstance(predicate, WaitStrategy):
        strategy = predicate
    elif isinstance(predicate, (str, re.Pattern)):
        strategy = LogMessageWaitStrategy(predicate, predicate_streams_and=predicate_streams_and)
    elif callable(predicate):
        strategy = _LogPredicate(predicate, predicate_streams_and)
    else:
        raise DefinitionError(f"predicate {predicate!r} is neither text, pattern, function nor wait strategy")
    return wait_until_ready(
        container,
        strategy,
        timeout=None if timeout is None else seconds(timeout),
        interval=None if interval is None else seconds(interval, what="interval"),
        exit_ends=raise_on_exit,
    )


def _log_texts(target: WaitTarget, stream: Streams) -> dict[str, str]:
    chunks = target.engine.logs(
        target.id,
        stdout=stream != "stderr",
        stderr=stream != "stdout",
        since=getattr(target, "restarted_at", None),  # what it said before a restart does not count
    )
    wanted = ("stdout", "stderr") if stream in ("either", "both") else (stream,)
    return {
        name: b"".join(chunk.data for chunk in chunks if chunk.stream == name).decode("utf-8", "replace")
        for name in wanted
    }
