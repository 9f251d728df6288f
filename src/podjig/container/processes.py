"""All processes of a container, as this machine shows them, and signals to them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing
from podjig.network.namespaces import first_process

_ROUNDS = 100
"""How often processes that were born meanwhile are looked for."""


def stop_all(engine: Engine, id: str) -> None:
    """Stop all processes of a container until :func:`continue_all`.

    Raises:
        ContainerExited: It does not run.
        CapabilityMissing: Its processes are not to be seen from here, or are shared with others.
    """
    first = _own_first_process(engine, id)
    for _ in range(_ROUNDS):
        running = [pid for pid in _members(first) if _state(pid) not in "TtZX"]
        if not running:
            return
        for pid in running:
            _send(pid, signal.SIGSTOP)
    continue_all(engine, id)
    raise CapabilityMissing("cannot freeze the container: its processes are born faster than they can be stopped")


def continue_all(engine: Engine, id: str) -> None:
    """Let all processes of a container go on.

    Raises:
        ContainerExited: It does not run.
        CapabilityMissing: Its processes are not to be seen from here.
    """
    for pid in _members(_own_first_process(engine, id)):
        _send(pid, signal.SIGCONT)


def _own_first_process(engine: Engine, id: str) -> int:
    first = first_process(engine, id, what="freeze the container")
    # The last number is that in its own namespace, where the first process is 1.
    if _status(first, "NSpid").split()[-1:] != ["1"]:
        raise CapabilityMissing(
            "cannot freeze the container alone: it shares its processes with others",
            hint="do not share 'pid' in its pod",
        )
    return first


def _members(first: int) -> Iterator[int]:
    """Yield the processes in the process namespace of ``first``."""
    namespace = _namespace(first)
    for entry in os.listdir("/proc"):  # noqa: PTH208  names are all that is needed
        if entry.isdecimal() and namespace and _namespace(int(entry)) == namespace:
            yield int(entry)


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")  # noqa: PTH115  hundreds of them: a Path each would cost
    except OSError:
        return ""  # it ended, or is not ours


def _state(pid: int) -> str:
    return _status(pid, "State")[:1] or "X"


def _status(pid: int, field: str) -> str:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(f"{field}:")), "")


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise CapabilityMissing(
            f"cannot freeze the container: its process {pid} may not be signalled from here ({error.strerror})",
            hint="run the tests as the user whose engine it is",
        ) from None
