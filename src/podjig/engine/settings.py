"""The settings of the private service, chosen for this host.

The user's own settings come first and are changed only where they fail here. Each concern is one function that
returns its choices; :func:`choose` asks them all. Nothing is written into the user's configuration: what is chosen
reaches the service through its environment alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podjig.engine import environment, storage
from podjig.engine.choice import Choice
from podjig.engine.containers_conf import OVERRIDE_SINCE, ContainersConf, nested, read
from podjig.engine.files import exists
from podjig.engine.host import RUNTIMES, Host

EXIT_COMMAND_DELAY = 10
PASTA_SINCE = (5, 0)
_UNLIMITED = -1
_SHM_NEEDED = 1 << 20  # the lock segment of 2048 locks, with room to spare
# What Podman gives a root's containers unless told otherwise; see setrlimit(2).
_ROOTFUL_LIMITS = {"nofile": 1 << 20, "nproc": 1 << 22}


def choose(
    host: Host, environ: Mapping[str, str], *, version: tuple[int, ...], root: Path = Path("/")
) -> tuple[Choice, ...]:
    """Choose all settings.

    Args:
        host: What the host is like.
        environ: What the service would inherit.
        version: Podman's version.
        root: Where the system's configuration files lie.

    Raises:
        ConfigError: A configuration file of Podman's cannot be read or is not valid TOML.
    """
    choices = [
        *environment.home(environ, rootless=host.rootless),
        *environment.runtime_folder(environ, rootless=host.rootless),
    ]
    environ = environment.repaired(environ, choices)
    conf = read(environ, rootless=host.rootless, version=version, root=root)
    choices += runtime(host, conf)
    choices += cgroup_manager(host, conf, user_bus=user_bus(environ, host))
    choices += events(host, conf)
    choices += logs(host, conf)
    choices += exit_command_delay(conf)
    choices += ulimits(host, conf)
    choices += network_command(host, conf, version)
    choices += locks(host, conf)
    choices += storage.driver(storage.probe(environ, host, root=root), host, version)
    return tuple(choices)


def conf_table(choices: tuple[Choice, ...], conf: ContainersConf, version: tuple[int, ...]) -> dict[str, Any]:
    """Return the private containers.conf: our changes, over all of the user's settings where Podman needs that."""
    changes = {choice.name: choice.value for choice in choices if not choice.is_variable and choice.origin == "chosen"}
    if version >= OVERRIDE_SINCE:
        return nested(changes)
    table = _copy(conf.table)
    for name, value in changes.items():
        *parents, leaf = name.split(".")
        inner = table
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[leaf] = value
    return table


def runtime(host: Host, conf: ContainersConf) -> list[Choice]:
    """The OCI runtime: one that is installed and takes this host's control groups."""
    name = "engine.runtime"
    configured = conf.get(name)
    installed = [program for program in RUNTIMES if host.has(program)]
    own = configured or (installed[0] if installed else "")
    if not own:
        return []
    paths = conf.get(f"engine.runtimes.{own}")
    listed = isinstance(paths, list) and any(exists(str(path)) for path in paths)
    there = exists(own) if "/" in own else own in installed or listed
    works = [program for program in installed if not _refuses(program, host)]
    if there and not _refuses(own, host):
        if configured:
            return [_yours(name, conf)]
        return [Choice(name=name, value=own, why="Podman's own choice here", origin="default")]
    trouble = f"{own} refuses {host.cgroup} control groups" if there else f"{own} is not installed"
    if works:
        return [Choice(name=name, value=works[0], why=f"{trouble}; {works[0]} works")]
    if configured:
        return [_yours(name, conf)]
    return [Choice(name=name, value=own, why=f"{trouble}, and there is no other", origin="default")]


def cgroup_manager(host: Host, conf: ContainersConf, *, user_bus: bool) -> list[Choice]:
    """Who makes control groups: systemd only where it can be asked."""
    name = "engine.cgroup_manager"
    if not host.systemd:
        trouble = "systemd does not run here"
    elif host.rootless and host.cgroup != "v2":
        trouble = f"systemd delegates no {host.cgroup} control groups to users"
    elif host.rootless and not user_bus:
        trouble = "there is no systemd session of this user"
    else:
        trouble = ""
    configured = conf.get(name)
    if configured == "cgroupfs" or (configured and not trouble):
        return [_yours(name, conf)]
    if trouble:
        return [Choice(name=name, value="cgroupfs", why=trouble)]
    return [Choice(name=name, value="systemd", why="systemd runs here", origin="default")]


def events(host: Host, conf: ContainersConf) -> list[Choice]:
    """Where events go: a file, where no journal takes them."""
    return _journal("engine.events_logger", "file", host, conf)


def logs(host: Host, conf: ContainersConf) -> list[Choice]:
    """Where the output of containers goes: a file, where no journal takes it."""
    return _journal("containers.log_driver", "k8s-file", host, conf)


def exit_command_delay(conf: ContainersConf) -> list[Choice]:
    """Seconds for which the monitor processes of an exec live on; Podman's own 300 let them pile up."""
    name = "engine.exit_command_delay"
    if conf.get(name) is not None:
        return [_yours(name, conf)]
    why = "Podman's 300 s would leave two processes behind every exec for that long"
    return [Choice(name=name, value=EXIT_COMMAND_DELAY, why=why)]


def ulimits(host: Host, conf: ContainersConf) -> list[Choice]:
    """Limits of containers: never above our own where we may not raise them."""
    name = "containers.default_ulimits"
    own = conf.get(name)
    entries = [entry for entry in own if isinstance(entry, str)] if isinstance(own, list) else []
    if host.sys_resource:
        return [_yours(name, conf)] if entries else []
    nproc = host.pid_max if host.nproc == _UNLIMITED else min(host.nproc, host.pid_max)
    ceilings = {"nofile": host.nofile, "nproc": nproc if host.nproc != _UNLIMITED else _UNLIMITED}
    lowered = [_lowered(entry, ceilings) for entry in entries]
    named = {entry.partition("=")[0] for entry in entries}
    if not host.rootless:
        for limit, wanted in _ROOTFUL_LIMITS.items():
            ceiling = ceilings[limit]
            if limit not in named and ceiling != _UNLIMITED and ceiling < wanted:
                lowered.append(f"{limit}={ceiling}:{ceiling}")
    if lowered != entries:
        why = "without CAP_SYS_RESOURCE nobody can raise limits above the caller's own"
        return [Choice(name=name, value=lowered, why=why)]
    return [_yours(name, conf)] if entries else []


def network_command(host: Host, conf: ContainersConf, version: tuple[int, ...]) -> list[Choice]:
    """What connects rootless containers, from Podman 5 on: what is installed of pasta and slirp4netns."""
    name = "network.default_rootless_network_cmd"
    if not host.rootless or version < PASTA_SINCE:
        return []
    configured = conf.get(name)
    own, other = ("slirp4netns", "pasta") if configured == "slirp4netns" else ("pasta", "slirp4netns")
    if not host.has(own) and host.has(other):
        return [Choice(name=name, value=other, why=f"{own} is not installed")]
    if configured:
        return [_yours(name, conf)]
    return [Choice(name=name, value=own, why="Podman's own choice", origin="default")]


def locks(host: Host, conf: ContainersConf) -> list[Choice]:
    """Where Podman's locks lie: in files, where /dev/shm has no room for them."""
    name = "engine.lock_type"
    if conf.get(name):
        return [_yours(name, conf)]
    if host.shm_free >= _SHM_NEEDED:
        return []
    return [Choice(name=name, value="file", why=f"{host.shm_free} bytes free in /dev/shm")]


def user_bus(environ: Mapping[str, str], host: Host) -> bool:
    """Whether the user's systemd can be reached."""
    folders = [environ.get("XDG_RUNTIME_DIR") or "", f"/run/user/{host.uid}"]
    return any(folder and exists(f"{folder}/bus") for folder in folders)


def _journal(name: str, instead: str, host: Host, conf: ContainersConf) -> list[Choice]:
    configured = conf.get(name)
    if configured and (configured != "journald" or host.journald):
        return [_yours(name, conf)]
    if not host.journald:
        return [Choice(name=name, value=instead, why="no system journal runs here")]
    return []


def _refuses(program: str, host: Host) -> bool:
    return host.cgroup == "hybrid" and Path(program).name == "crun"


def _lowered(entry: str, ceilings: Mapping[str, int]) -> str:
    """Lower ``name=soft:hard`` to its ceiling; leave alone what cannot be read, Podman names it better."""
    name, _, limits = entry.partition("=")
    ceiling = ceilings.get(name, _UNLIMITED)
    soft, _, hard = limits.partition(":")
    try:
        values = [int(soft), int(hard or soft)]
    except ValueError:
        return entry
    if ceiling == _UNLIMITED or all(0 <= value <= ceiling for value in values):
        return entry
    low = [ceiling if value < 0 else min(value, ceiling) for value in values]
    return f"{name}={low[0]}:{low[1]}"


def _yours(name: str, conf: ContainersConf) -> Choice:
    return Choice(name=name, value=conf.get(name), why=f"set in {conf.origins.get(name, '?')}", origin="yours")


def _copy(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in table.items()}
