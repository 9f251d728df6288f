"""The one loop in which every wait happens: it follows the container, not the clock."""

from __future__ import annotations

import time
from pathlib import Path

from podjig import config
from podjig.engine.values import ContainerState
from podjig.errors import ContainerExited, EngineTimeout, ResourceNotFound, WaitTimeout
from podjig.wait import deadline
from podjig.wait.process import is_process_of
from podjig.wait.strategy import WaitStrategy
from podjig.wait.target import WaitTarget

FASTEST_POLL = 0.01
SLOWEST_POLL = 0.25

_SHARE_OF_ELAPSED = 0.05
"""An adaptive pause is this share of the time waited so far: at the end, polling has cost at most that much."""

_LONGEST_REST = 1.0
"""Seconds of pause after a look that took as long or longer."""

_LOOK_AT_STATE_EVERY = 0.1
"""Seconds between two looks at the container's state where its process cannot be seen from here."""

_LOG_LINES = 20


def wait_until_ready(
    target: WaitTarget,
    strategy: WaitStrategy,
    *,
    timeout: float | None = None,
    interval: float | None = None,
    exit_ends: bool = True,
) -> float:
    """Wait until ``strategy`` finds ``target`` ready.

    Args:
        target: A started container.
        strategy: What to wait for.
        timeout: Seconds; overrides the strategy's own deadline and the setting ``startup_timeout``.
        interval: Seconds between two checks; overrides the strategy's own.
        exit_ends: Whether the container's end ends the wait.

    Returns:
        The seconds that it took.

    Raises:
        WaitTimeout: It was not ready in time; the message says what was missing, ``logs`` what it wrote last.
        ContainerExited: It ended before it was ready.
    """
    if timeout is None:
        timeout = strategy.startup_timeout
    if timeout is None:
        timeout = config.current()[config.STARTUP_TIMEOUT]
    started = time.monotonic()
    life = LifeWatch(target)
    while True:
        began = time.monotonic()
        with deadline.until(started + timeout):
            missing = look(target, strategy)
        elapsed = time.monotonic() - started
        if missing is None:
            return elapsed
        if exit_ends:
            ended = life.ended()
            # What it wrote or left behind in its last moment may be what was waited for.
            if ended is not None and look(target, strategy) is not None:
                raise _exited(target, strategy, ended, elapsed)
        if elapsed >= timeout:
            raise WaitTimeout(
                f"{target.description} was not ready after {elapsed:.1f} s: "
                f"waited for {strategy.describe()}; {missing}",
                hint="see what it wrote below; if it only needs longer, raise the startup timeout "
                "(with_startup_timeout(), or PODJIG_STARTUP_TIMEOUT)",
                logs=log_tail(target),
            )
        pause = strategy.poll_interval if interval is None else interval
        if pause is None:
            pause = min(SLOWEST_POLL, max(FASTEST_POLL, elapsed * _SHARE_OF_ELAPSED))
            # A look that takes long (a log of many megabytes) is not to keep a processor busy all the time.
            pause = max(pause, min(_LONGEST_REST, time.monotonic() - began))
        time.sleep(min(pause, timeout - elapsed))


def look(target: WaitTarget, strategy: WaitStrategy) -> str | None:
    """Check once, with the strategy's transient exceptions read as "not yet"."""
    try:
        return strategy.check(target)
    except EngineTimeout:
        raise  # the engine hangs, and so would the next check
    except (ResourceNotFound, ContainerExited) as error:
        if strategy.expects_exit:
            raise
        return error.message
    except Exception as error:
        if not isinstance(error, (OSError, *strategy.transient_exceptions)):
            raise
        return f"last error: {type(error).__name__}: {error}"


class LifeWatch:
    """Notices that a container has ended, as cheaply as the engine's place allows."""

    def __init__(self, target: WaitTarget) -> None:
        self._target = target
        self._process: Path | None = None
        self._process_known = False
        self._next_look = 0.0

    def ended(self) -> ContainerState | None:
        """Return the state of an ended container, ``None`` while it lives (or has not begun to)."""
        now = time.monotonic()
        if self._process is not None and self._process.exists():
            return None  # costs microseconds, so every turn of the loop may ask
        if self._process is None and now < self._next_look:
            return None
        self._next_look = now + _LOOK_AT_STATE_EVERY
        try:
            state = self._target.engine.inspect_container(self._target.id).state
        except ResourceNotFound:
            return ContainerState(status="removed", error="it was removed")
        if not state.running:
            return state if state.ended else None
        if not self._process_known and self._target.engine.info.local and state.pid:
            # Where the engine lives in another pid namespace, that number is another process here, or none.
            self._process = Path(f"/proc/{state.pid}") if is_process_of(state.pid, self._target.id) else None
            self._process_known = True
        elif self._process is not None:
            self._process = None  # gone, yet it runs: restarted, and from now on asked of the engine
        return None


def log_tail(target: WaitTarget, lines: int = _LOG_LINES) -> str:
    """Return the last lines that the container wrote."""
    try:
        chunks = target.engine.logs(target.id, tail=lines)
    except ResourceNotFound:
        return ""
    return b"".join(chunk.data for chunk in chunks).decode("utf-8", "replace")


def _exited(target: WaitTarget, strategy: WaitStrategy, state: ContainerState, elapsed: float) -> ContainerExited:
    how = f"exited with code {state.exit_code}"
    if state.status == "removed":
        how = "was removed"
    elif state.oom_killed:
        how += " (out of memory)"
    reason = f": {state.error}" if state.error and state.status != "removed" else ""
    return ContainerExited(
        f"{target.description} {how} after {elapsed:.2f} s{reason}; waited for {strategy.describe()}",
        hint="its last output below usually says why"
        if state.exit_code
        else "its command ended by itself: give it one that keeps running (with_command), or wait for its end",
        logs=log_tail(target),
        exit_code=state.exit_code,
    )
