"""Settings: ``[tool.podjig]`` in pyproject.toml < environment < command line.

Nothing is read at import. :func:`current` reads once per process; each value remembers where it came from, so that
``podjig doctor`` and errors can say so.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from podjig.errors import ConfigError

T = TypeVar("T")

PULL_POLICIES = ("missing", "always", "never", "newer")


@dataclass(frozen=True)
class Value(Generic[T]):
    """A setting's value and where it came from, in words."""

    value: T
    origin: str


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting: its name in ``[tool.podjig]``, its environment variable, how it is read, what it means."""

    name: str
    variable: str
    default: T
    read: Callable[[Any], T]
    help: str


def _number(raw: Any) -> float:
    try:
        number = float(raw)
    except (TypeError, ValueError):
        raise ValueError("is not a number of seconds") from None
    if not 0 < number < float("inf"):
        raise ValueError("must be more than zero seconds")
    return number


def _text(raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        raise ValueError("must be a non-empty string")
    return raw.strip()


def _pull_policy(raw: Any) -> str:
    if raw not in PULL_POLICIES:
        raise ValueError(f"must be one of {', '.join(PULL_POLICIES)}")
    return str(raw)


def _image_map(raw: Any) -> dict[str, str]:
    """Read a table, or ``"name=name,name=name"``."""
    if isinstance(raw, str):
        pairs = [part.partition("=") for part in raw.split(",") if part.strip()]
        if any(not separator for _, separator, _ in pairs):
            raise ValueError("must look like 'postgres:16=localhost/mine/postgres:17,quay.io/=mirror.example/quay/'")
        raw = {key: value for key, _, value in pairs}
    if not isinstance(raw, Mapping):
        raise ValueError("must be a table of image names")
    table = {str(key).strip(): value.strip() if isinstance(value, str) else "" for key, value in raw.items()}
    for key, value in table.items():
        if not key or not value:
            raise ValueError(f"maps {key!r} to {value!r}; both sides must be names")
    return table


ENGINE = Setting(
    "engine",
    "PODJIG_ENGINE",
    "auto",
    _text,
    "which engine: 'auto', 'private' (our own Podman service), 'podman', 'docker', or an address like unix:///path",
)
IMAGES: Setting[Mapping[str, str]] = Setting(
    "images",
    "PODJIG_IMAGE_MAP",
    {},
    _image_map,
    "image substitution: a whole name, a repository, or a prefix ending in /",
)
PULL = Setting("pull", "PODJIG_PULL", "missing", _pull_policy, "when to pull an image: missing, always, never, newer")
STARTUP_TIMEOUT = Setting(
    "startup_timeout", "PODJIG_STARTUP_TIMEOUT", 60.0, _number, "seconds a container may take to become ready"
)
SERVICE_IDLE = Setting(
    "service_idle", "PODJIG_SERVICE_IDLE", 120.0, _number, "seconds without a request until our Podman service ends"
)
LIFETIME = Setting(
    "lifetime", "PODJIG_LIFETIME", 6 * 3600.0, _number, "seconds until the engine itself ends a container left behind"
)
REUSE = Setting(
    "reuse_for", "PODJIG_REUSE_FOR", 8 * 3600.0, _number, "seconds a service is kept for reuse since it was last used"
)
HOST: Setting[str] = Setting(
    "host", "PODJIG_HOST", "", _text, "name or address of the engine's host, as tests reach published ports"
)

SETTINGS: tuple[Setting[Any], ...] = (ENGINE, IMAGES, PULL, STARTUP_TIMEOUT, SERVICE_IDLE, LIFETIME, REUSE, HOST)


class Config:
    """All settings as they are in force, each with its origin."""

    def __init__(self, values: Mapping[str, Value[Any]]) -> None:
        self._values = dict(values)

    def __getitem__(self, setting: Setting[T]) -> T:
        return self.explain(setting).value

    def explain(self, setting: Setting[T]) -> Value[T]:
        """Return the value and where it came from."""
        return self._values.get(setting.name) or Value(setting.default, "default")

    def override(self, origin: str, **values: Any) -> Config:
        """Return a copy in which ``values``, as in ``[tool.podjig]``, win; ``None`` leaves one as it is."""
        merged = dict(self._values)
        for setting in SETTINGS:
            raw = values.get(setting.name)
            if raw is not None:
                merged[setting.name] = read(setting, raw, origin)
        return Config(merged)


def load(*, folder: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
    """Read the settings that hold in ``folder`` (default: the current one).

    Raises:
        ConfigError: A value is wrong or unknown, or pyproject.toml cannot be read.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Value[Any]] = {}
    path, table = _project_table(folder or Path.cwd())
    unknown = sorted(set(table) - {setting.name for setting in SETTINGS})
    if unknown:
        raise ConfigError(
            f"unknown setting {unknown[0]!r} in [tool.podjig] of {path}",
            hint=f"known settings: {', '.join(setting.name for setting in SETTINGS)}",
        )
    for setting in SETTINGS:
        if setting.name in table:
            values[setting.name] = read(setting, table[setting.name], f"[tool.podjig] of {path}")
        raw = environ.get(setting.variable)
        if raw:
            values[setting.name] = read(setting, raw, f"environment variable {setting.variable}")
    images = values.get(IMAGES.name)
    if images and IMAGES.name in table and environ.get(IMAGES.variable):
        # The environment adds to the table and wins name by name: a CI job redirects one image, not all.
        both = {**_image_map(table[IMAGES.name]), **images.value}
        values[IMAGES.name] = Value(both, f"{images.origin} over [tool.podjig] of {path}")
    return Config(values)


_current: Config | None = None
_folder: Path | None = None


def current() -> Config:
    """Return the settings of this process, read at the first call."""
    global _current  # noqa: PLW0603  one process, one configuration
    if _current is None:
        _current = load(folder=_folder)
    return _current


def look_in(folder: Path) -> Callable[[], None]:
    """Have :func:`current` read the settings that hold in ``folder``; return what undoes this, and later uses."""
    global _current, _folder
    before = _current, _folder

    def undo() -> None:
        global _current, _folder
        _current, _folder = before

    _current, _folder = None, folder
    return undo


def use(config: Config | None) -> None:
    """Make ``config`` the settings of this process; ``None`` reads them again when next asked for."""
    global _current  # noqa: PLW0603
    _current = config


def read(setting: Setting[T], raw: Any, origin: str) -> Value[T]:
    """Read a raw value, as it stands in a file, a variable or on the command line.

    Raises:
        ConfigError: It is wrong.
    """
    try:
        return Value(setting.read(raw), origin)
    except ValueError as error:
        raise ConfigError(
            f"setting {setting.name} = {raw!r} ({origin}) {error}", hint=f"{setting.name}: {setting.help}"
        ) from None


def _project_table(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Return the nearest pyproject.toml, from ``folder`` upwards, that has a [tool.podjig], and that table."""
    for parent in (folder, *folder.parents):
        path = parent / "pyproject.toml"
        table = _tool_table(path) if path.is_file() else {}
        if table:
            return path, table
    return folder / "pyproject.toml", {}


def _tool_table(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    if "tool.podjig" not in text:  # spares the parser's import and the whole parse
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        table = tomllib.loads(text).get("tool", {}).get("podjig", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    if not isinstance(table, dict):
        raise ConfigError(f"[tool.podjig] in {path} must be a table, not {table!r}")
    return table
