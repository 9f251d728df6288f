"""Commands for people to copy: how they reach, with podman, a container that podjig made."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from podjig import config
from podjig.config import SERVICE_IDLE

if TYPE_CHECKING:
    from podjig.engine.protocol import Engine


def podman(engine: Engine, *words: str) -> str:
    """Return a command line that has podman do something on an engine.

    The private service ends when it is idle; its store is that of the podman that serves, so that podman is asked.
    """
    info = engine.info
    service = _private_service(info.address)
    if service is None:
        return shlex.join(["podman", "--url", info.address, *words])
    return shlex.join([*service, "podman", *words])


def _private_service(address: str) -> list[str] | None:
    """Return what must stand before ``podman`` to see the private service's store; ``None`` for other engines."""
    from podjig.engine.service import PrivateService

    service = PrivateService(idle=config.current()[SERVICE_IDLE])
    if service.address != address:
        return None
    unset = ["CONTAINER_HOST"] if os.environ.get("CONTAINER_HOST") else []
    unset += [choice.name for choice in service.choices if choice.is_variable and choice.value is None]
    changed = [
        f"{choice.name}={choice.value}"
        for choice in service.choices
        if choice.is_variable and choice.origin == "chosen" and choice.value is not None
    ]
    away = [word for name in unset for word in ("-u", name)]
    return [*(["env", *away] if away else []), *changed]
