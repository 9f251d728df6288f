"""Options, settings, the marker and the header."""

from __future__ import annotations

import re

import pytest

TRIVIAL = "def test_nothing(): pass"


@pytest.fixture(autouse=True)
def trivial(project: pytest.Pytester) -> None:
    """A test that needs nothing."""
    project.makepyfile(TRIVIAL)


def header(result: pytest.RunResult) -> list[str]:
    """Return the lines podjig adds."""
    return [line for line in result.outlines if line.startswith(("podjig", "  ")) and "plugins:" not in line]


def test_the_header_names_engine_version_socket_rights_and_images(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PODJIG_IMAGE_MAP", "postgres:16=localhost/mine:1,upstream.example/=mirror.example/up/")
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    engine, origin, images = header(result)[:3]
    assert re.fullmatch(r"podjig: \d+\.\d+\.\d+, podman \d+\.\d+.* (rootless|rootful) \(.*unix:///.*\)", engine)
    assert origin == "podjig images, from environment variable PODJIG_IMAGE_MAP:"
    assert images == "  postgres:16 -> localhost/mine:1, upstream.example/ -> mirror.example/up/"


def test_the_header_names_the_file_that_images_come_from(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PODJIG_IMAGE_MAP")
    file = project.makepyprojecttoml('[tool.podjig.images]\nredis = "localhost/mine"\n[tool.pytest.ini_options]')
    result = project.runpytest_subprocess()
    assert header(result)[1:3] == [f"podjig images, from [tool.podjig] of {file}:", "  redis -> localhost/mine"]


def test_the_settings_are_those_of_the_project_wherever_pytest_was_started(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PODJIG_IMAGE_MAP")
    folder = project.mkdir("inner")
    (folder / "pyproject.toml").write_text(
        '[tool.podjig.images]\nredis = "localhost/inner"\n[tool.pytest.ini_options]', encoding="utf-8"
    )
    (folder / "test_inner.py").write_text(TRIVIAL, encoding="utf-8")
    result = project.runpytest_subprocess("inner")
    assert header(result)[2] == "  redis -> localhost/inner"


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('engin = "podman"', "unknown setting 'engin'"),
        ('pull = "often"', "setting pull = 'often'"),
        ('engine = "qemu"', "'qemu'"),
        ("images = 5", "setting images = 5"),
    ],
)
def test_a_broken_setting_is_told_and_tests_without_containers_run(
    project: pytest.Pytester, table: str, says: str
) -> None:
    project.makepyprojecttoml(f"[tool.podjig]\n{table}\n[tool.pytest.ini_options]")
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    assert says in header(result)[0]


@pytest.mark.usefixtures("no_engine")
def test_no_engine_is_told_and_tests_without_containers_run(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    assert "no container engine answered. Tried CONTAINER_HOST (unset)" in header(result)[0]


def test_the_command_line_wins(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODJIG_ENGINE", "unix:///no/such/a.sock")
    result = project.runpytest_subprocess("--podjig-engine=unix:///no/such/b.sock")
    result.assert_outcomes(passed=1)
    assert "unix:///no/such/b.sock" in header(result)[0]
    assert "command line" in header(result)[0]


@pytest.mark.parametrize("option", ["--podjig-pull=often", "--podjig-pull= "])
def test_a_wrong_option_is_a_usage_error(project: pytest.Pytester, option: str) -> None:
    result = project.runpytest_subprocess(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: setting pull = * (command line) must be one of missing, always, *"])
    result.stderr.no_fnmatch_line("*Traceback*")


def test_the_options_are_explained(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("--help")
    result.stdout.fnmatch_lines(
        ["podjig: real services in containers:", "*--podjig-engine=ENGINE*", "*--podjig-pull=*"]
    )


def test_the_marker_is_registered(project: pytest.Pytester) -> None:
    project.makepyfile("import pytest\n@pytest.mark.integration\ndef test_nothing(): pass")
    project.runpytest_subprocess("--strict-markers").assert_outcomes(passed=1)
    project.runpytest_subprocess("--strict-markers", "-m", "not integration").assert_outcomes(deselected=1)
    project.runpytest_subprocess("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.integration: needs a real container*"]
    )


def test_without_the_plugin_there_is_none_of_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        "from podjig import GenericContainer\n"
        "def test_it():\n"
        "    with GenericContainer('busybox', command='sleep 9') as box:\n"
        "        assert box.status == 'running'\n"
    )
    result = project.runpytest_subprocess("-p", "no:podjig")
    result.assert_outcomes(passed=1)
    assert header(result) == []
    assert project.runpytest_subprocess("-p", "no:podjig", "--podjig-pull=never").ret == pytest.ExitCode.USAGE_ERROR
