"""The environment of the private service: what it inherits, and what must be repaired for Podman to start at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from podjig.engine.choice import Choice
from podjig.engine.files import PROGRAM_FOLDERS, exists, is_folder
from podjig.engine.runtime_dir import usable

# What changes how Podman behaves. Everything else stays behind: a test's environment is none of the service's business.
_MATERIAL = (
    "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME",
    "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY",
    "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy",
)  # fmt: skip
_MATERIAL_PREFIXES = ("CONTAINERS_", "_CONTAINERS_", "STORAGE_", "BUILDAH_", "NETAVARK_")
# Kept too, but no reason for a second service.
_IMMATERIAL = ("USER", "LOGNAME", "SHELL", "PATH", "LANG", "LC_ALL", "TZ", "DBUS_SESSION_BUS_ADDRESS")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the service inherits of the caller's environment.

    ``CONTAINER_HOST`` (which would make Podman a client), socket activation and notification variables are not in it.
    """
    kept = {**distinguishing(environ), **{name: environ[name] for name in _IMMATERIAL if name in environ}}
    folders = [*filter(None, kept.get("PATH", "").split(":")), *PROGRAM_FOLDERS]
    kept["PATH"] = ":".join(dict.fromkeys(folders))
    if not kept.get("HOME"):
        home = _home_of_user()
        if home:
            kept["HOME"] = home
    return kept


def distinguishing(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that makes a service another one."""
    return {name: value for name, value in environ.items() if name in _MATERIAL or name.startswith(_MATERIAL_PREFIXES)}


def repaired(environ: Mapping[str, str], choices: Iterable[Choice]) -> dict[str, str]:
    """Return ``environ`` with the chosen variables set, and those chosen to be ``None`` unset."""
    result = dict(environ)
    for choice in choices:
        if choice.is_variable and choice.origin == "chosen":
            if choice.value is None:
                result.pop(choice.name, None)
            else:
                result[choice.name] = str(choice.value)
    return result


def home(environ: Mapping[str, str], *, rootless: bool) -> list[Choice]:
    """Choose a home where the user's own is absent or cannot be written to. Podman cannot do without one."""
    current = environ.get("HOME", "")
    if not rootless:
        return []
    if current and writable_below(Path(current) / ".local/share/containers"):
        return [Choice(name="HOME", value=current, why="set in your environment, and writable", origin="yours")]
    state = "not set" if not current else "absent" if not is_folder(current) else "not writable"
    choices = [
        Choice(
            name="HOME",
            value=f"/var/tmp/podjig-home-{os.getuid()}",  # noqa: S108  made with an owner check
            why=f"HOME {current or ''} is {state}; images are kept here instead".replace("  ", " "),
        )
    ]
    config = f"{current}/.config"
    if current and not environ.get("XDG_CONFIG_HOME") and is_folder(config):
        choices.append(Choice(name="XDG_CONFIG_HOME", value=config, why="your configuration is still read from there"))
    data = environ.get("XDG_DATA_HOME")
    if data and not writable_below(Path(data) / "containers"):
        choices.append(Choice(name="XDG_DATA_HOME", value=None, why=f"{data} is not writable"))
    return choices


def runtime_folder(environ: Mapping[str, str], *, rootless: bool) -> list[Choice]:
    """Unset XDG_RUNTIME_DIR where it names a folder Podman would refuse: without it, Podman makes one of its own."""
    current = environ.get("XDG_RUNTIME_DIR")
    if not current or not rootless or usable(Path(current), private=False):
        return []
    why = "absent" if not is_folder(current) else "not yours, or not writable"
    return [
        Choice(
            name="XDG_RUNTIME_DIR",
            value=None,
            why=f"{current} is {why}; without it Podman uses its own folder",
        )
    ]


def writable_below(path: Path) -> bool:
    """Whether ``path`` can be written to, or made."""
    for folder in (path, *path.parents):
        if exists(folder):
            return is_folder(folder) and os.access(folder, os.W_OK | os.X_OK)
    return False


def _home_of_user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
