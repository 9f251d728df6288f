"""Where engines may be: the places discovery looks at, best first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from podjig.errors import ConfigError

KEYWORDS = ("auto", "private", "podman", "docker")
RUN = "/run"
SCHEMES = ("unix", "http+unix", "tcp", "http", "https", "ssh")


class Place(NamedTuple):
    """One place where an engine may be.

    Attributes:
        label: What it is called in lists of what was tried.
        origin: What it is called where it is the one in use.
        address: Its URL; empty for a variable that is unset, and for the private service.
        private: It is the private service.
        explicit: The user named it: should it fail, nothing else is tried.
        rootless: Whether an engine there runs without root; ``None`` where that cannot be told.
    """

    label: str
    origin: str
    address: str = ""
    private: bool = False
    explicit: bool = False
    rootless: bool | None = None


def places(engine: str, environ: Mapping[str, str], *, origin: str = "") -> Iterator[Place]:
    """Yield the places to look at.

    Args:
        engine: One of :data:`KEYWORDS`, or an address.
        environ: Where ``CONTAINER_HOST``, ``DOCKER_HOST`` and the folders come from.
        origin: Where ``engine`` was set, in words.

    Raises:
        ConfigError: ``engine`` or a variable is neither a keyword nor an address.
    """
    if engine not in KEYWORDS:
        address = normalized(engine, what=f"setting engine ({origin or 'explicit'})")
        yield Place(label=address, origin=origin or "explicit choice", address=address, explicit=True)
        return
    if engine in ("auto", "podman"):
        yield _from_variable("CONTAINER_HOST", environ, explicit=True)
        yield from _podman_sockets(environ)
    if engine in ("auto", "podman", "private"):
        rootless = os.getuid() != 0
        yield Place(label="private service", origin="private service", private=True, rootless=rootless)
    if engine in ("auto", "podman") and os.getuid() != 0:
        yield _socket(f"{RUN}/podman/podman.sock", "rootful podman socket", rootless=False)
    if engine in ("auto", "docker"):
        yield _from_variable("DOCKER_HOST", environ, explicit=False)
        yield from _docker_sockets(environ)


def normalized(address: str, *, what: str) -> str:
    """Return ``address`` as a URL; a bare path is a unix socket.

    Raises:
        ConfigError: It is of no kind podjig knows.
    """
    if address.startswith("/"):
        return f"unix://{address}"
    scheme, separator, rest = address.partition("://")
    if separator and rest and scheme in SCHEMES:
        return address
    raise ConfigError(
        f"{what} is {address!r}, which is no engine and no address",
        hint=f"use one of {', '.join(KEYWORDS)}, or an address like unix:///run/podman/podman.sock, "
        "tcp://host:port or ssh://user@host/run/podman/podman.sock",
    )


def pingable(address: str) -> bool:
    """Whether a plain socket reaches it, without ssh or TLS."""
    return address.partition("://")[0] in ("unix", "http+unix", "tcp", "http")


def _from_variable(name: str, environ: Mapping[str, str], *, explicit: bool) -> Place:
    value = environ.get(name, "")
    if not value:
        return Place(label=name, origin=name)
    address = normalized(value, what=f"environment variable {name}")
    return Place(label=f"{name}={address}", origin=name, address=address, explicit=explicit)


def _socket(path: str, origin: str, *, rootless: bool | None) -> Place:
    return Place(label=path, origin=origin, address=f"unix://{path}", rootless=rootless)


def _podman_sockets(environ: Mapping[str, str]) -> Iterator[Place]:
    """The user's own sockets; for root these are the system's."""
    rootless = os.getuid() != 0
    paths = [f"{folder}/podman/podman.sock" for folder in _runtime_folders(environ)]
    if not rootless:
        paths.append(f"{RUN}/podman/podman.sock")
    if sys.platform == "darwin":
        machine = f"{environ.get('HOME', '')}/.local/share/containers/podman/machine"
        paths += [
            f"{machine}/podman.sock",
            f"{environ.get('TMPDIR', '')}/podman/podman-machine-default-api.sock",
        ]
    for path in paths:
        yield _socket(path, "podman socket", rootless=rootless if sys.platform == "linux" else None)


def _docker_sockets(environ: Mapping[str, str]) -> Iterator[Place]:
    home = environ.get("HOME", "")
    for folder in _runtime_folders(environ):
        yield _socket(f"{folder}/docker.sock", "rootless docker socket", rootless=True)
    if home:
        for name in ("run", "desktop"):
            yield _socket(f"{home}/.docker/{name}/docker.sock", "docker desktop socket", rootless=None)
    yield _socket(f"{RUN}/docker.sock", "docker socket", rootless=None)


def _runtime_folders(environ: Mapping[str, str]) -> list[str]:
    folders = [environ.get("XDG_RUNTIME_DIR", "").rstrip("/"), f"{RUN}/user/{os.getuid()}"]
    return list(dict.fromkeys(folder for folder in folders if folder))
