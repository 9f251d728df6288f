"""The command that installs a program on this distribution."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

# Program -> package, where the names differ: for everybody, then for one distribution.
_PACKAGES = {"pasta": "passt", "newuidmap": "shadow-utils", "newgidmap": "shadow-utils"}
_OWN = {
    "debian": {"newuidmap": "uidmap", "newgidmap": "uidmap"},
    "alpine": {"newuidmap": "shadow-uidmap", "newgidmap": "shadow-uidmap"},
    "arch": {"newuidmap": "shadow", "newgidmap": "shadow"},
    "suse": {"newuidmap": "shadow", "newgidmap": "shadow"},
}
_COMMANDS = {
    "debian": "apt-get install -y",
    "fedora": "dnf install -y",
    "rhel": "dnf install -y",
    "alpine": "apk add",
    "arch": "pacman -S",
    "suse": "zypper install",
}


def install_command(programs: Iterable[str], *, root: Path = Path("/")) -> str:
    """Return a command that installs ``programs``; ``"install X"`` where the distribution is unknown."""
    family = distribution(root)
    names = [_OWN.get(family, {}).get(program) or _PACKAGES.get(program, program) for program in programs]
    listed = " ".join(dict.fromkeys(names))
    return f"sudo {_COMMANDS[family]} {listed}" if family else f"install {listed}"


def distribution(root: Path = Path("/")) -> str:
    """Return the family of this distribution, one of those known here; empty for others."""
    try:
        text = (root / "etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return ""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    words = f"{fields.get('ID', '')} {fields.get('ID_LIKE', '')}".replace('"', "").split()
    for word in words:
        for family in ("suse", *_COMMANDS):
            if word == family or (family == "suse" and "suse" in word):
                return family
    return ""
