"""The helper process that outlives its owner: it waits, and when the owner dies it removes what is left.

Run as a script by an isolated interpreter (``python -I -S``), so that while it waits it holds nothing but the
interpreter: what it needs to clean up is imported when the owner is gone. Its arguments are the owner's
process id, and what :func:`podjig.cleanup.reaping.run` takes.

The owner holds the write end of a pipe whose read end is our standing input. A ``q`` in it means that the owner has
removed everything itself; its end means that the owner has gone without. A pidfd of the owner backs that up, should
some child of the owner's keep the pipe open.
"""

from __future__ import annotations

import os
import select
import sys

SWEEP_AFTER = 2.0
"""Seconds after the session's start at which ended sessions are swept, off its critical path."""

_FAREWELL = b"q"


def main(arguments: list[str]) -> int:
    """Wait for the owner's end, then clean up."""
    if arguments[0] == "sweep":
        return _in_full(arguments[1:], "sweep")
    owner, task = int(arguments[0]), arguments[1:]
    farewell = _wait(owner, task)
    return 0 if farewell else _in_full(task, "reap")


def _wait(owner: int, task: list[str]) -> bool:
    """Return when the owner is gone: whether it had removed everything itself."""
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    pidfd = _pidfd(owner)
    if pidfd is not None:
        poll.register(pidfd, select.POLLIN)
    timeout: float | None = SWEEP_AFTER * 1000
    while True:
        ready = poll.poll(timeout)
        if not ready:
            timeout = None
            _sweep_aside(task)
            continue
        return any(descriptor == 0 and events & select.POLLIN and os.read(0, 1) == _FAREWELL for descriptor, events in ready)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # an old kernel, or gone already: then the pipe tells
        return None


def _sweep_aside(task: list[str]) -> None:
    """Sweep in a process of its own, so that its memory is not ours for the hours that follow."""
    command = [sys.executable, "-I", "-S", os.path.abspath(__file__), "sweep", *task]  # noqa: PTH100  no pathlib here
    os.waitpid(os.posix_spawn(sys.executable, command, os.environ), 0)


def _in_full(task: list[str], verb: str) -> int:
    session, address, root, private, *path = task
    sys.path += path  # behind the standard library: nothing of the owner's may stand in for it
    from podjig.cleanup import reaping

    return reaping.run(verb, session=session, address=address, root=root, private=private == "private")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
