"""Settings: their order, their origins, their errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from podjig import config
from podjig.errors import ConfigError


def project(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def test_defaults_say_that_they_are(tmp_path: Path) -> None:
    loaded = config.load(folder=tmp_path, environ={})
    assert loaded[config.PULL] == "missing"
    assert loaded.explain(config.PULL).origin == "default"


def test_the_environment_wins_over_the_project_and_the_command_line_over_both(tmp_path: Path) -> None:
    project(tmp_path, '[tool.podjig]\npull = "always"\nstartup_timeout = 5\n')
    loaded = config.load(folder=tmp_path, environ={"PODJIG_PULL": "never"})
    assert loaded[config.PULL] == "never"
    assert "PODJIG_PULL" in loaded.explain(config.PULL).origin
    assert loaded[config.STARTUP_TIMEOUT] == 5
    assert str(tmp_path) in loaded.explain(config.STARTUP_TIMEOUT).origin
    assert loaded.override("command line", pull="newer", engine=None)[config.PULL] == "newer"


def test_the_nearest_project_with_a_table_counts(tmp_path: Path) -> None:
    project(tmp_path, '[tool.podjig]\npull = "never"\n')
    inner = tmp_path / "inner"
    inner.mkdir()
    project(inner, "[project]\nname = 'x'\n")
    assert config.load(folder=inner, environ={})[config.PULL] == "never"


def test_image_maps_of_environment_and_project_add_up(tmp_path: Path) -> None:
    project(tmp_path, '[tool.podjig.images]\nredis = "localhost/a/redis"\n"postgres:16" = "localhost/a/pg:16"\n')
    loaded = config.load(folder=tmp_path, environ={"PODJIG_IMAGE_MAP": "redis=localhost/b/redis,quay.io/=m.example/q/"})
    assert loaded[config.IMAGES] == {
        "redis": "localhost/b/redis",
        "postgres:16": "localhost/a/pg:16",
        "quay.io/": "m.example/q/",
    }


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("PODJIG_PULL", "sometimes", "must be one of missing, always, never, newer"),
        ("PODJIG_STARTUP_TIMEOUT", "soon", "is not a number of seconds"),
        ("PODJIG_STARTUP_TIMEOUT", "-1", "must be more than zero"),
        ("PODJIG_STARTUP_TIMEOUT", "nan", "must be more than zero"),
        ("PODJIG_IMAGE_MAP", "postgres", "must look like"),
        ("PODJIG_IMAGE_MAP", "postgres=", "both sides must be names"),
    ],
)
def test_a_wrong_value_is_named_with_its_origin(tmp_path: Path, variable: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(folder=tmp_path, environ={variable: value})
    assert says in str(caught.value)
    assert variable in caught.value.message
    assert repr(value) in caught.value.message
    assert caught.value.hint


def test_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    project(tmp_path, "[tool.podjig]\nimage = 3\n")
    with pytest.raises(ConfigError, match=r"unknown setting 'image'") as caught:
        config.load(folder=tmp_path, environ={})
    assert "images" in caught.value.hint


def test_broken_toml_names_the_file(tmp_path: Path) -> None:
    project(tmp_path, "[tool.podjig\n")
    with pytest.raises(ConfigError, match="pyproject.toml is not valid TOML"):
        config.load(folder=tmp_path, environ={})
