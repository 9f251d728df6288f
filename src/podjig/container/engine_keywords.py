"""Keyword arguments for the engine: docker-py's names, which migrating users know, and the engine's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from podjig.errors import DefinitionError

if TYPE_CHECKING:
    from podjig.container.definition import ContainerDefinition

Apply = Callable[["ContainerDefinition", Any], object]


def _environment(definition: ContainerDefinition, value: Any) -> None:
    pairs = value.items() if isinstance(value, Mapping) else (item.partition("=")[::2] for item in value)
    for key, text in pairs:
        definition.with_env(key, text)


def _extra_hosts(definition: ContainerDefinition, value: Any) -> None:
    pairs = value.items() if isinstance(value, Mapping) else (item.partition(":")[::2] for item in value)
    for name, address in pairs:
        definition.with_extra_host(name, address)


def _tmpfs(definition: ContainerDefinition, value: Mapping[str, str]) -> None:
    for path, options in value.items():
        sizes = [option.partition("=")[2] for option in (options or "").split(",") if option.startswith("size=")]
        definition.with_tmpfs_mount(path, sizes[0] if sizes else None)


def _volumes(definition: ContainerDefinition, value: Mapping[str, Mapping[str, str]]) -> None:
    for source, target in value.items():
        definition.with_volume_mapping(source, target["bind"], target.get("mode", "rw"))


def _ulimits(definition: ContainerDefinition, value: Any) -> None:
    for limit in value:
        fields = {key.lower(): number for key, number in dict(limit).items()}
        definition.with_ulimit(fields["name"], fields["soft"], fields.get("hard"))


def _ports(definition: ContainerDefinition, value: Mapping[str | int, Any]) -> None:
    for container, host in value.items():
        definition.with_bind_ports(container, host)


def _field(name: str, read: Callable[[Any], Any] = lambda value: value) -> Apply:
    return lambda definition, value: definition._set(**{name: read(value)})  # noqa: SLF001  a part of it in a file of its own


_DOCKER_PY: dict[str, Apply] = {
    "cap_add": _field("cap_add", tuple),
    "cap_drop": _field("cap_drop", tuple),
    "command": lambda definition, value: definition.with_command(value),
    "entrypoint": lambda definition, value: definition.with_entrypoint(value),
    "environment": _environment,
    "extra_hosts": _extra_hosts,
    "hostname": _field("hostname"),
    "init": _field("init", bool),
    "labels": lambda definition, value: definition.with_labels(value),
    "mem_limit": lambda definition, value: definition.with_memory_limit(value),
    "name": lambda definition, value: definition.with_name(value),
    "nano_cpus": lambda definition, value: definition.with_cpu_limit(value / 1e9),
    "network": lambda definition, value: definition.with_network(value),
    "network_mode": _field("network_mode"),
    "pids_limit": lambda definition, value: definition.with_pids_limit(value),
    "platform": lambda definition, value: definition.with_platform(value),
    "ports": _ports,
    "privileged": _field("privileged", bool),
    "read_only": _field("read_only", bool),
    "shm_size": lambda definition, value: definition.with_shm_size(value),
    "stop_signal": _field("stop_signal"),
    "tmpfs": _tmpfs,
    "ulimits": _ulimits,
    "user": lambda definition, value: definition.with_user(value),
    "volumes": _volumes,
    "working_dir": _field("workdir"),
}

_POINTLESS = frozenset({"auto_remove", "detach", "remove", "stdout", "stderr", "stream"})
"""What docker-py's ``run()`` takes about running itself: podjig always detaches, and always removes."""


def apply_keywords(definition: ContainerDefinition, keywords: Mapping[str, Any]) -> None:
    """Apply keyword arguments to a definition.

    Raises:
        DefinitionError: A value does not have the form docker-py documents for it.
    """
    for name, value in keywords.items():
        if name in _POINTLESS:
            continue
        apply = _DOCKER_PY.get(name)
        if apply is None:
            definition._engine_options[name] = value  # noqa: SLF001
            continue
        try:
            apply(definition, value)
        except (TypeError, AttributeError, KeyError) as error:
            raise DefinitionError(
                f"keyword {name}={value!r} does not have the form of docker-py's {name}: {error}"
            ) from None
