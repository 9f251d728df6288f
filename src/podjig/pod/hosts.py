"""The ``/etc/hosts`` of a pod's members, written from this machine."""

from __future__ import annotations

from collections.abc import Mapping

from podjig.engine.files import rewrite
from podjig.engine.protocol import Engine
from podjig.errors import ResourceNotFound


def lead(engine: Engine, member: str, hosts: Mapping[str, str]) -> bool:
    """Let names lead to addresses from inside a member.

    Args:
        engine: The engine that runs it.
        member: Its id.
        hosts: Name -> address; what else the file has of these names is taken out.

    Returns:
        Whether they do now. Not where its file is not ours to write.
    """
    try:
        path = engine.inspect_container(member).raw.get("HostsPath")
    except ResourceNotFound:
        return True  # gone, and nobody inside looks anything up
    if not path or not engine.info.local:
        return False
    try:
        rewrite(path, lambda lines: [*_without(lines, hosts), *(f"{hosts[name]}\t{name}" for name in hosts)])
    except FileNotFoundError:
        return True  # of one that has just ended
    except OSError:
        return False
    return True


def _without(lines: list[str], hosts: Mapping[str, str]) -> list[str]:
    kept = []
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        left = [name for name in names if name not in hosts]
        if left == names:
            kept.append(line)
        elif left:
            kept.append(f"{address}\t{' '.join(left)}")
    return kept
