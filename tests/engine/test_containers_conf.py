from __future__ import annotations

from pathlib import Path

import pytest

from podjig.engine.containers_conf import files, nested, read, render, user_file
from podjig.errors import ConfigError

OLD, NEW = (4, 3, 1), (5, 4, 2)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


def test_order_is_podmans(root: Path, environ: dict[str, str]) -> None:
    home = Path(environ["HOME"]) / ".config/containers"
    expected = [
        write(root / "usr/share/containers/containers.conf", ""),
        write(root / "etc/containers/containers.conf", ""),
        write(root / "etc/containers/containers.conf.d/10-a.conf", ""),
        write(root / "etc/containers/containers.conf.d/20-b.conf", ""),
        write(home / "containers.conf", ""),
        write(home / "containers.conf.d/x.conf", ""),
    ]
    write(home / "containers.conf.d/readme.txt", "no TOML")

    assert list(files(environ, rootless=True, version=OLD, root=root)) == expected
    assert list(files(environ, rootless=False, version=OLD, root=root)) == expected[:4]


def test_later_files_win_and_tables_are_merged(root: Path, environ: dict[str, str]) -> None:
    system = write(
        root / "etc/containers/containers.conf",
        '[engine]\nruntime = "crun"\nnum_locks = 10\n[engine.runtimes]\na = ["/a"]\n[containers]\nenv = ["A=1", "B"]\n',
    )
    own = write(
        Path(environ["HOME"]) / ".config/containers/containers.conf",
        '[engine]\nruntime = "runc"\n[engine.runtimes]\nb = ["/b"]\n[containers]\nenv = ["C=3"]\n',
    )
    conf = read(environ, rootless=True, version=OLD, root=root)

    assert conf.get("engine.runtime") == "runc"
    assert conf.get("engine.num_locks") == 10
    assert conf.get("engine.runtimes") == {"a": ["/a"], "b": ["/b"]}
    assert conf.get("containers.env") == ["C=3"]  # lists are replaced
    assert conf.get("engine.runtime.deeper") is None
    assert conf.origins["engine.runtime"] == str(own)
    assert conf.origins["engine.num_locks"] == str(system)


def test_containers_conf_replaces_all_others(root: Path, environ: dict[str, str], tmp_path: Path) -> None:
    write(root / "etc/containers/containers.conf", '[engine]\nruntime = "crun"\n')
    own = write(tmp_path / "own.conf", "[engine]\nnum_locks = 7\n")
    conf = read({**environ, "CONTAINERS_CONF": str(own)}, rootless=True, version=OLD, root=root)

    assert conf.table == {"engine": {"num_locks": 7}}


def test_override_is_read_where_podman_knows_it(root: Path, environ: dict[str, str], tmp_path: Path) -> None:
    override = write(tmp_path / "over.conf", "[engine]\nnum_locks = 7\n")
    environ = {**environ, "CONTAINERS_CONF_OVERRIDE": str(override)}

    assert list(files(environ, rootless=True, version=NEW, root=root)) == [override]
    assert list(files(environ, rootless=True, version=OLD, root=root)) == []


def test_xdg_config_home(tmp_path: Path) -> None:
    assert user_file({"HOME": "/h", "XDG_CONFIG_HOME": "/c"}) == Path("/c/containers/containers.conf")
    assert user_file({"HOME": "/h"}, "storage.conf") == Path("/h/.config/containers/storage.conf")
    assert user_file({}) is None


def test_broken_file_is_named(root: Path, environ: dict[str, str]) -> None:
    path = write(root / "etc/containers/containers.conf", "[engine\n")

    with pytest.raises(ConfigError, match=f"{path} is not valid TOML"):
        read(environ, rootless=True, version=OLD, root=root)


def test_missing_replacement_is_named(root: Path) -> None:
    with pytest.raises(ConfigError, match=r"CONTAINERS_CONF names /no/such\.conf"):
        read({"CONTAINERS_CONF": "/no/such.conf"}, rootless=True, version=OLD, root=root)


def test_render_round_trip(root: Path, environ: dict[str, str]) -> None:
    table = nested({"engine.runtime": "runc", "containers.default_ulimits": ["nofile=1:2"], "engine.num_locks": 3})
    write(root / "etc/containers/containers.conf", render(table))

    assert table == {"engine": {"runtime": "runc", "num_locks": 3}, "containers": {"default_ulimits": ["nofile=1:2"]}}
    assert read(environ, rootless=True, version=OLD, root=root).table == table
