"""The user's and the system's containers.conf, read and merged as Podman does. Nothing is ever written to them.

Podman before 4.6 has no way to lay one more file on top: ``CONTAINERS_CONF`` replaces all others. So we merge them
ourselves and hand over the whole. From 4.6 on ``CONTAINERS_CONF_OVERRIDE`` is read last, and holds our changes alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podjig.engine.files import is_file
from podjig.errors import ConfigError

OVERRIDE_SINCE = (4, 6)
_SYSTEM = ("usr/share/containers/containers.conf", "etc/containers/containers.conf")


@dataclass(frozen=True, kw_only=True)
class ContainersConf:
    """Merged settings, and which file each came from.

    Attributes:
        table: The merged TOML document.
        files: The files read, the strongest last.
        origins: Dotted name of a value (``"engine.runtime"``) -> the file it came from.
    """

    table: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """Return the value of a dotted name, ``None`` where no file sets it."""
        value: Any = self.table
        for part in name.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return value


def read(
    environ: Mapping[str, str], *, rootless: bool, version: tuple[int, ...], root: Path = Path("/")
) -> ContainersConf:
    """Read what this Podman would read.

    Args:
        environ: The environment of the Podman process.
        rootless: Whether it runs without root, and so reads the user's own files too.
        version: Podman's version.
        root: Where the system's files lie.

    Raises:
        ConfigError: A file cannot be read, or is not valid TOML.
    """
    table: dict[str, Any] = {}
    origins: dict[str, str] = {}
    read_files = []
    for path in files(environ, rootless=rootless, version=version, root=root):
        merge(table, load_toml(path), origins, str(path))
        read_files.append(path)
    return ContainersConf(table=table, files=tuple(read_files), origins=origins)


def files(
    environ: Mapping[str, str], *, rootless: bool, version: tuple[int, ...], root: Path = Path("/")
) -> Iterator[Path]:
    """Yield the files that this Podman reads, in its order: a later one wins."""
    replacement = environ.get("CONTAINERS_CONF")
    if replacement:
        if not is_file(replacement):
            raise ConfigError(
                f"CONTAINERS_CONF names {replacement}, which is not a file",
                hint="unset it, or name your containers.conf",
            )
        yield Path(replacement)
    else:
        for name in _SYSTEM:
            if is_file(root / name):
                yield root / name
        yield from _drop_ins(root / f"{_SYSTEM[1]}.d")
        user = user_file(environ)
        if rootless and user:
            if is_file(user):
                yield user
            yield from _drop_ins(user.with_name("containers.conf.d"))
    override = environ.get("CONTAINERS_CONF_OVERRIDE")
    if override and version >= OVERRIDE_SINCE and is_file(override):
        yield Path(override)


def user_file(environ: Mapping[str, str], name: str = "containers.conf") -> Path | None:
    """Where the user's own file of that name would be; ``None`` without a home."""
    home = environ.get("XDG_CONFIG_HOME") or (f"{environ['HOME']}/.config" if environ.get("HOME") else "")
    return Path(home) / "containers" / name if home else None


def load_toml(path: Path) -> dict[str, Any]:
    """Parse one file.

    Raises:
        ConfigError: It cannot be read, or is not valid TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}", hint="Podman reads it too: make it readable"
        ) from None
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError
        raise ConfigError(f"{path} is not valid TOML: {error}", hint="Podman refuses it too: repair the file") from None
    return table


def merge(
    into: dict[str, Any], table: Mapping[str, Any], origins: dict[str, str], origin: str, prefix: str = ""
) -> None:
    """Lay ``table`` over ``into``: tables are merged, everything else is replaced, lists too."""
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            below = into.get(key)
            into[key] = dict(below) if isinstance(below, Mapping) else {}
            merge(into[key], value, origins, origin, f"{name}.")
        else:
            into[key] = value
            origins[name] = origin


def render(table: Mapping[str, Any]) -> str:
    """Return ``table`` as TOML."""
    import tomli_w

    return tomli_w.dumps(table)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn ``{"engine.runtime": x}`` into ``{"engine": {"runtime": x}}``."""
    table: dict[str, Any] = {}
    for name, value in values.items():
        *parents, leaf = name.split(".")
        inner = table
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[leaf] = value
    return table


def _drop_ins(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    yield from (entry for entry in entries if entry.suffix == ".conf" and is_file(entry))
