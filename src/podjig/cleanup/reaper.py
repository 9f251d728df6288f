"""The helper process that outlives its owner: it waits, and when the owner dies it removes what is left.

Run as a script by an isolated interpreter (``python -I -S``), so that while it waits it holds nothing but the
interpreter: what it needs to clean up is imported when the owner is gone. Its arguments are the owner's
process id, and what :func:`podjig.cleanup.reaping.run` takes.

The owner holds the write end of a pipe whose read end is our standard input. A ``q`` in it means that the owner has
removed everything itself; its end means that the owner has gone without. A pidfd of the owner backs that up, should
some child of the owner's keep the pipe open.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
import time

SWEEP_AFTER = 2.0
"""Seconds after the session's start at which ended sessions are swept, off its critical path."""

SWEEP_EVERY = 3600.0
"""Seconds after which a sweep looks for what has expired, though no session has ended without cleaning up."""

GRACE = 600.0
"""Seconds for which the lease of a session stays after nothing more of it was found."""

_FAREWELL = b"q"


def main(arguments: list[str]) -> int:
    """Wait for the owner's end, then clean up."""
    os.chdir("/")  # keep nobody's folder busy
    if arguments[0] == "sweep":
        return _in_full(arguments[1:], "sweep")
    owner, task = int(arguments[0]), arguments[1:]
    farewell, swept = _wait(owner, task)
    if not farewell:
        return _in_full(task, "reap")
    # A short session ends before its sweep is due.
    return 0 if swept or not due(*task[:3]) else _in_full(task, "sweep")


def _wait(owner: int, task: list[str]) -> tuple[bool, bool]:
    """Return when the owner is gone: whether it had removed everything itself, and whether there was a sweep."""
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    pidfd = _pidfd(owner)
    if pidfd is not None:
        poll.register(pidfd, select.POLLIN)
    ready = poll.poll(SWEEP_AFTER * 1000)
    swept = not ready
    if swept:
        if due(*task[:3]):
            _sweep_aside(task)
        ready = poll.poll()
    farewell = any(
        descriptor == 0 and events & select.POLLIN and os.read(0, 1) == _FAREWELL for descriptor, events in ready
    )
    return farewell, swept


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # an old kernel, or gone already: then the pipe tells
        return None


def due(session: str, address: str, root: str) -> bool:
    """Whether a sweep would find something. Cheap, so that many sessions at once do not all sweep for nothing."""
    try:
        if time.time() - os.stat(f"{root}/cleanup/swept").st_mtime > SWEEP_EVERY:  # noqa: PTH116  no pathlib here
            return True
    except FileNotFoundError:
        return True
    folder = f"{root}/cleanup/leases"
    others = [name for name in os.listdir(folder) if name.endswith(".lease") and name != f"{session}.lease"]  # noqa: PTH208
    return any(_left_over(f"{folder}/{name}", address) for name in others)


def _left_over(path: str, address: str) -> bool:
    """Whether a lease is that of an ended session with our engine, after which somebody has yet to clean up."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            first, *stages = file.read().decode().splitlines() or [""]
            age = time.time() - os.fstat(file.fileno()).st_mtime
    except OSError:  # held, or gone meanwhile
        return False
    return first == address and (stages[-1:] != ["done"] or age > GRACE)


def _sweep_aside(task: list[str]) -> None:
    """Sweep in a process of its own: its memory is not ours for the hours that follow, and it cannot hold us up."""
    script = os.path.abspath(__file__)  # noqa: PTH100
    command = ["/bin/sh", "-c", '"$@" &', "podjig", sys.executable, "-I", "-S", script, "sweep", *task]
    os.waitpid(os.posix_spawn("/bin/sh", command, os.environ), 0)


def _in_full(task: list[str], verb: str) -> int:
    """Do it, with all of podjig. Nobody reads what we print, so whatever goes wrong goes to the log."""
    session, address, root, private, *path = task
    try:
        # The path goes behind the standard library: nothing of the owner's may stand in for that.
        sys.path += path
        from podjig.cleanup import reaping

        return reaping.run(verb, session=session, address=address, root=root, private=private == "private")
    except BaseException:
        import traceback

        with open(f"{root}/cleanup/logs/{session}.log", "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(f"{verb} failed\n{traceback.format_exc()}")
        raise


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
