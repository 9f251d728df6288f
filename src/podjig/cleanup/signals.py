"""SIGTERM ends a process in the midst of its with blocks, unless somebody makes an exception of it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

_EXIT_CODE = 128 + signal.SIGTERM


def _leave() -> BaseException:
    return SystemExit(_EXIT_CODE)


_exception: Callable[[], BaseException] = _leave


def terminate_with(exception: Callable[[], BaseException]) -> None:
    """Have SIGTERM raise another exception than :class:`SystemExit`: a test runner has one that ends the run."""
    global _exception  # noqa: PLW0603  one process, one way to end
    _exception = exception


def unwind_on_terminate() -> None:
    """Have SIGTERM unwind the stack, so that with blocks, fixtures and exit handlers end as they should.

    Only where it would kill the process at once: an application's own handler stays, and so does a choice to ignore
    it. Elsewhere than in the main thread nothing can be set, and the helper process cleans up after a kill.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _on_terminate)


def _on_terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  what a handler takes
    # Once only: a second SIGTERM during the clean-up ends us at once, and the helper process does the rest. Where an
    # application's handler, set later, has called us as the one before it, it stays.
    if signal.getsignal(signal.SIGTERM) is _on_terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise _exception()


def _forget_in_child() -> None:
    """A forked child that never chose this handler gets back what it would have had."""
    if signal.getsignal(signal.SIGTERM) is _on_terminate:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


os.register_at_fork(after_in_child=_forget_in_child)
