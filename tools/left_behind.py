#!/usr/bin/env python3
"""Compare what the engine's store holds after a run with what it held before: what is new, the run left behind.

tools/left_behind.py note FILE    write down what is there
tools/left_behind.py check FILE   say what has been added since; exit 1 if anything has
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from podjig.engine.discovery import current_engine
from podjig.errors import PodjigError


def store() -> list[str]:
    """Return every container, pod, volume and network."""
    client = current_engine().native_client()
    found = [f"container {container.name} of {container.image.tags}" for container in client.containers.list(all=True)]
    found += [f"pod {pod.name}" for pod in client.pods.list()]
    found += [f"volume {volume.name}" for volume in client.volumes.list()]
    found += [f"network {network.name}" for network in client.networks.list()]
    return found


def main(verb: str, file: str) -> int:
    """Do what the command line says."""
    try:
        now = store()
    except PodjigError as error:
        print(error, file=sys.stderr)
        return 1
    if verb == "note":
        Path(file).write_text(json.dumps(now), encoding="utf-8")
        return 0
    left = sorted(set(now) - set(json.loads(Path(file).read_text(encoding="utf-8"))))
    for line in left:
        print(f"left behind (by this run, or made by another meanwhile): {line}")
    if not left:
        print("nothing is left behind: no container, pod, volume or network")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
