"""What Podman's own messages mean: each known one with its effect and repair."""

from __future__ import annotations

import re
from dataclasses import replace

from podjig.engine.finding import Finding

# A pattern in the log, and what it means; {names} are the pattern's own groups. Most of this the host's files do not
# show beforehand.
_KNOWN: tuple[tuple[str, Finding], ...] = (
    (
        r"cgroups in hybrid mode not supported",
        Finding(
            problem="crun refuses control groups in hybrid mode",
            effect="no container starts",
            repair="install runc; podjig then chooses it by itself",
            severity="broken",
        ),
    ),
    (
        r'default OCI runtime "(?P<name>[^"]+)" not found',
        Finding(
            problem="the configured OCI runtime {name} is not installed",
            effect="Podman does not start",
            repair="install it, or remove 'runtime' from your containers.conf",
            severity="broken",
        ),
    ),
    (
        r"/dev/net/tun",
        Finding(
            problem="/dev/net/tun cannot be opened",
            effect="rootless containers have no network",
            repair="sudo chmod 666 /dev/net/tun",
            severity="limited",
        ),
    ),
    (
        r"could not find (?P<name>slirp4netns|pasta)",
        Finding(
            problem="{name} is not installed",
            effect="rootless containers have no network",
            repair="install it, or use network_mode 'host' or 'none'",
            severity="limited",
        ),
    ),
    (
        r"potentially insufficient UIDs or GIDs available",
        Finding(
            problem="the user has too few subordinate ids for the files of an image",
            effect="the image cannot be unpacked",
            repair="sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $USER && podman system"
            " migrate",
            severity="limited",
        ),
    ),
    (
        r"command required for rootless mode with multiple IDs",
        Finding(
            problem="newuidmap is not installed",
            effect="rootless Podman does not start",
            repair="install the package that holds it (uidmap, shadow-utils)",
            severity="broken",
        ),
    ),
    (
        r"Cannot determine your user name",
        Finding(
            problem="the user has no entry in the password database",
            effect="rootless Podman does not start",
            repair="add one to /etc/passwd",
            severity="broken",
        ),
    ),
    (
        r"should have setuid or have filecaps setuid",
        Finding(
            problem="newuidmap has lost its privilege",
            effect="rootless Podman does not start",
            repair="sudo chmod u+s $(command -v newuidmap newgidmap)",
            severity="broken",
        ),
    ),
    (
        r"newuidmap: write to uid_map failed: Operation not permitted",
        Finding(
            problem="newuidmap may gain no privilege here (no_new_privs)",
            effect="rootless Podman does not start",
            repair="start this session without 'no-new-privileges'",
            severity="broken",
        ),
    ),
    (
        r'graph driver "(?P<old>[^"]*)" does not match our (storage )?graph driver "(?P<new>[^"]*)"',
        Finding(
            problem="the store was made with driver {old}, and {new} is asked for",
            effect="Podman does not start",
            repair="set driver = '{old}' in storage.conf, or begin anew with 'podman system reset'",
            severity="broken",
        ),
    ),
    (
        r"temporary directory \(runroot\).* does not match",
        Finding(
            problem="the store was made with another runtime folder (XDG_RUNTIME_DIR)",
            effect="Podman does not start",
            repair="set XDG_RUNTIME_DIR to what it was, or run 'podman system migrate' with the old value",
            severity="broken",
        ),
    ),
    (
        r"'overlay' is not supported over overlayfs",
        Finding(
            problem="the store lies on overlayfs, which overlay cannot be laid over",
            effect="Podman does not start",
            repair='install fuse-overlayfs, or set driver = "vfs" in storage.conf',
            severity="broken",
        ),
    ),
    (
        r"allocation failed; exceeded num_locks",
        Finding(
            problem="all of Podman's locks are used up",
            effect="no container can be created",
            repair="remove containers, pods and volumes you do not need, or raise num_locks in containers.conf and"
            " run 'podman system renumber'",
            severity="broken",
        ),
    ),
    (
        r"SIGBUS",
        Finding(
            problem="shared memory (/dev/shm) is too small for Podman's locks",
            effect="Podman crashes",
            repair='give /dev/shm more room, or set lock_type = "file" in containers.conf',
            severity="broken",
        ),
    ),
    (
        r"no cgroup mount found in mountinfo|invalid file system type on '/sys/fs/cgroup'",
        Finding(
            problem="no control groups are mounted",
            effect="no container starts",
            repair="sudo mount -t cgroup2 none /sys/fs/cgroup",
            severity="broken",
        ),
    ),
    (
        r'mounting "proc" to rootfs',
        Finding(
            problem="this is itself a container in which parts of /proc are hidden",
            effect="containers cannot have a /proc of their own",
            repair="start the outer container with '--security-opt unmask=ALL' (Podman) or '--security-opt"
            " systempaths=unconfined' (Docker)",
            severity="broken",
        ),
    ),
    (
        r"cannot clone: No space left on device|user namespaces are not enabled",
        Finding(
            problem="the kernel allows ordinary users no (more) user namespaces",
            effect="rootless Podman does not start",
            repair="sudo sysctl -w user.max_user_namespaces=28633",
            severity="broken",
        ),
    ),
    (
        r"cannot clone: Operation not permitted|cannot re-exec process",
        Finding(
            problem="user namespaces are refused here, by a seccomp filter, AppArmor or a sysctl",
            effect="rootless Podman does not start",
            repair="start the outer container with '--security-opt seccomp=unconfined', or on the host: sudo sysctl"
            " -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0",
            severity="broken",
        ),
    ),
    (
        r"could not find a working conmon binary",
        Finding(
            problem="conmon is not installed, or too old",
            effect="no container can be created",
            repair="install conmon",
            severity="broken",
        ),
    ),
    (
        r"finding pause binary",
        Finding(
            problem="catatonit is not installed",
            effect="pods cannot be created",
            repair="install catatonit",
            severity="limited",
        ),
    ),
    (
        r"setting rlimit.* operation not permitted",
        Finding(
            problem="limits above the caller's own were asked for, and CAP_SYS_RESOURCE is missing",
            effect="no container starts",
            repair="lower default_ulimits in containers.conf to what 'ulimit -Hn' and 'ulimit -Hu' say",
            severity="broken",
        ),
    ),
    (
        r"is not owned by the current user",
        Finding(
            problem="XDG_RUNTIME_DIR belongs to somebody else",
            effect="Podman does not start",
            repair="unset XDG_RUNTIME_DIR",
            severity="broken",
        ),
    ),
    (
        r"[Rr]ead-only file system",
        Finding(
            problem="a folder that Podman must write to is read-only",
            effect="Podman does not start",
            repair="set HOME to a folder that can be written to",
            severity="broken",
        ),
    ),
)


def findings(log: str) -> list[Finding]:
    """Return what the messages in ``log`` mean, each once."""
    found = []
    for pattern, finding in _KNOWN:
        match = re.search(pattern, log)
        if match:
            names = match.groupdict()
            found.append(replace(finding, problem=_fill(finding.problem, names), repair=_fill(finding.repair, names)))
    return found


def _fill(text: str, names: dict[str, str | None]) -> str:
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value or "")
    return text
