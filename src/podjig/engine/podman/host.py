"""What can be known of the engine's host, at the least cost."""

from __future__ import annotations

import re
import resource
from os import get_exec_path
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from podjig.engine.podman.transport import Transport
from podjig.spec import Ulimit

_CGROUPS = Path("/sys/fs/cgroup")
_PID_MAX = Path("/proc/sys/kernel/pid_max")
_PAUSE_PROGRAM = "catatonit"
_HELPERS = (  # Podman's defaults for helper_binaries_dir
    "/usr/local/libexec/podman",
    "/usr/local/lib/podman",
    "/usr/libexec/podman",
    "/usr/lib/podman",
)
_DEADLINE = 30.0
_NEEDED = {"memory", "pids"}


class HostFacts:
    """Facts of the host of one service. Of this machine they are read from files; of another, from its ``/info``."""

    def __init__(self, address: str, transport: Transport) -> None:
        self._url = urlsplit(address)
        self._transport = transport

    def rootless(self) -> bool | None:
        """Whether the service runs without root: by the owner of its socket. ``None`` where that cannot be seen."""
        if self._url.scheme == "unix":
            return Path(self._url.path).stat().st_uid != 0
        if self._url.scheme == "ssh" and (user := re.search(r"/run/user/(\d+)/", self._url.path)):
            return user[1] != "0"
        return None

    def controls_cgroups(self) -> bool:
        """Whether containers can be limited and frozen.

        Root can on both cgroup versions. Others need version 2 and controllers handed to them, which systemd does;
        without, the engine takes limits and silently drops them.
        """
        if self._url.scheme != "unix":
            return self._remote_controls()
        owner = Path(self._url.path).stat().st_uid
        if owner == 0:
            return True
        if not (_CGROUPS / "cgroup.controllers").exists():
            return False
        delegated = _CGROUPS / f"user.slice/user-{owner}.slice/user@{owner}.service/cgroup.controllers"
        return delegated.exists() and set(delegated.read_text(encoding="ascii").split()) >= _NEEDED

    def has_pause_program(self) -> bool:
        """Whether the service finds the program of which it makes the image that its pods begin with."""
        if self._url.scheme != "unix":
            return True  # as packages of Podman have it
        return any((Path(folder) / _PAUSE_PROGRAM).exists() for folder in (*_HELPERS, *get_exec_path()))

    def ulimits(self) -> tuple[Ulimit, ...]:
        """Return what must be said of a container that has ulimits of its own, lest it cannot start.

        Given any, Podman forgets the defaults of its configuration and sets the kernel's maximum for the others, which
        root without CAP_SYS_RESOURCE (in a restricted runner) may not. Rootless engines stay within their limits.
        """
        if self.rootless() is not False or self._url.scheme != "unix":
            return ()
        limits = []
        for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
            _, hard = resource.getrlimit(number)
            if hard != resource.RLIM_INFINITY:
                if name == "nproc":  # at its start Podman lowers its own to this
                    hard = min(hard, int(_PID_MAX.read_text(encoding="ascii")))
                limits.append(Ulimit(name=name, soft=hard, hard=hard))
        return tuple(limits)

    def _remote_controls(self) -> bool:
        answer = self._transport.call("GET", "info", what="ask about the engine's host", deadline=_DEADLINE)
        host: dict[str, Any] = answer.json()["host"]
        if not (host.get("security") or {}).get("rootless"):
            return True
        return host.get("cgroupVersion") == "v2" and set(host.get("cgroupControllers") or ()) >= _NEEDED
