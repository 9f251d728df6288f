"""The podman program: where it is, and its version, asked for once per installed file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from podjig.engine.runtime_dir import private_folder
from podjig.errors import EngineUnavailable

_FOLDERS = (
    "/usr/bin",
    "/usr/local/bin",
    "/bin",
    "/usr/sbin",
    "/opt/podman/bin",
    "/run/current-system/sw/bin",
)
INSTALL_HINT = "install Podman, e.g. 'apt-get install podman', 'dnf install podman' or 'brew install podman'"


class Binary(NamedTuple):
    """One installed podman: its path, and when and how large it was made."""

    path: str
    modified: int
    size: int

    @property
    def fingerprint(self) -> str:
        """Changes when another podman is installed."""
        return f"{self.path} {self.modified} {self.size}"


def find(environ: Mapping[str, str]) -> Binary | None:
    """Return the podman on ``$PATH``, or in one of the usual folders; ``None`` where there is none."""
    for folder in [*filter(None, environ.get("PATH", "").split(":")), *_FOLDERS]:
        path = Path(folder).absolute() / "podman"
        if os.access(path, os.X_OK) and path.is_file():
            found = path.stat()
            return Binary(path=str(path), modified=found.st_mtime_ns, size=found.st_size)
    return None


def version(binary: Binary, cache: Path) -> tuple[int, ...]:
    """Return its version as numbers, from ``cache`` where this very file was asked before.

    Raises:
        EngineUnavailable: It cannot be run, or does not say.
    """
    note = cache / "podman-version"
    try:
        fingerprint, _, text = note.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        fingerprint = text = ""
    if fingerprint != binary.fingerprint or not parse(text):
        text = _ask(binary)
        _remember(note, f"{binary.fingerprint}\n{text}")
    return parse(text)


def parse(text: str) -> tuple[int, ...]:
    """Return ``(4, 3, 1)`` for ``"podman version 4.3.1"``; empty where there is no version in it."""
    word = text.strip().rpartition(" ")[2]
    numbers = []
    for part in word.partition("-")[0].partition("+")[0].split("."):
        if not part.isdecimal():
            return ()
        numbers.append(int(part))
    return tuple(numbers)


def _ask(binary: Binary) -> str:
    import subprocess

    # Without the caller's environment: CONTAINER_HOST would make it ask a remote engine's, and no setting matters here.
    environ = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": os.environ.get("HOME", "/")}
    try:
        done = subprocess.run(
            [binary.path, "--version"], capture_output=True, text=True, timeout=20, env=environ, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineUnavailable(f"{binary.path} --version failed: {error}", hint=INSTALL_HINT) from None
    if done.returncode or not parse(done.stdout):
        raise EngineUnavailable(
            f"{binary.path} --version failed with exit code {done.returncode}",
            hint="run it by hand; 'podjig doctor' shows what is wrong on this host",
            logs=done.stdout + done.stderr,
        )
    return done.stdout.strip()


def _remember(note: Path, text: str) -> None:
    try:
        private_folder(note.parent)
        temporary = note.with_name(f"{note.name}.{os.getpid()}")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(note)
    except OSError:
        pass  # the next process asks again
