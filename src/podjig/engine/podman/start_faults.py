"""Why a container did not start, from the engine's words, and what repairs it.

The texts are those of Podman 4.3 to 5.8 with runc and crun, seen on hosts that lack something.
"""

from __future__ import annotations

import re

from podjig.engine.podman import faults
from podjig.errors import ContainerStartError, EngineRequestError, PortInUse

_BUSY = re.compile(r":(?P<port>\d{1,5}): bind: address already in use", re.IGNORECASE)

_HINTS: tuple[tuple[str, str], ...] = (
    (
        r"cannot expose privileged port",
        "ports below 1024 need root: choose a larger host port, or leave the choice to the engine",
    ),
    (
        r"cannot assign requested address",
        "the address to publish on is not one of this host: use 127.0.0.1",
    ),
    (
        r"unable to find (user|group)|no matching entries in (passwd|group) file",
        "the image has no such user or group: use a number, or a name from its /etc/passwd",
    ),
    (
        r"unable to setup user|unmapped uid",
        "the engine maps one user id; as root: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER",
    ),
    (
        r"chdir to cwd|workdir .* does not exist",
        "the working directory is not in the image: correct it, or mount something there",
    ),
    (
        r"executable file .*not found|stat .*no such file or directory|command that was not found",
        "the program is not in the image: check command and entrypoint",
    ),
    (
        r"exec format error",
        "the program is made for another processor, or is a script without '#!': check the image's platform",
    ),
    (
        r"permission denied.*OCI permission denied|exec: .*permission denied",
        "the program is not executable in the image: chmod +x it",
    ),
    (
        r"/dev/net/tun",
        (
            "this host keeps /dev/net/tun closed: 'chmod 666 /dev/net/tun' as root, or use network mode 'host', for a "
            "container or a Pod(..., network_mode='host'), where servers listen on this machine's own network; "
            "without ports, 'none' will do"
        ),
    ),
    (
        r"could not find slirp4netns|could not find pasta",
        "install slirp4netns or passt, or use network mode 'host' or 'none'",
    ),
    (
        r"slirp4netns failed|pasta failed",
        "the rootless network could not be set up: network mode 'host' or 'none' does without; see 'podjig doctor'",
    ),
    (
        r"cgroups in hybrid mode not supported",
        "crun refuses this host's cgroups: install runc, and let podjig start its own service",
    ),
    (
        r"no cgroup mount found|invalid file system type on '/sys/fs/cgroup'",
        "no cgroups are mounted here; see 'podjig doctor'",
    ),
    (
        r"OCI runtime \S+ not found|default OCI runtime",
        "the engine's settings name a runtime that is not installed: install it, or let podjig start its own service",
    ),
    (
        r"error setting rlimit|rlimits? .*operation not permitted",
        "a ulimit is above what this host allows the engine: lower it",
    ),
    (
        r"exceeded num_locks|allocation failed",
        "the engine has no locks left: remove containers and volumes, 'podman system prune' helps",
    ),
    (
        r'error mounting "proc"',
        "this host masks /proc (a container inside a container): see 'podjig doctor'",
    ),
    (
        r"netavark.*No such file or directory|unable to find network|iptables",
        (
            "bridge networks do not work on this host: install netavark and iptables, or put the containers into a "
            "Pod, where they meet on localhost; 'podjig doctor' says what is missing"
        ),
    ),
    (r"no space left on device", "the disk of the engine's store is full: 'podman system df' shows what fills it"),
)
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE | re.DOTALL), hint) for pattern, hint in _HINTS)


def start_fault(error: EngineRequestError) -> ContainerStartError:
    """Return the error that says why."""
    if "address already in use" in error.message:
        match = _BUSY.search(error.message)
        which = f"host port {match['port']}" if match else "a host port"
        return PortInUse(
            f"{which} is in use: {faults.reason(error)}",
            hint="leave the host port to the engine, or choose another; 'ss -ltnp' shows who listens",
        )
    return ContainerStartError(error.message, hint=hint(error.message))


def hint(text: str) -> str:
    """Return what repairs it; empty where we do not know."""
    return next((advice for pattern, advice in _COMPILED if pattern.search(text)), "")
