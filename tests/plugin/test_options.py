"""Options, settings, the marker and the header."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from podjig.pytest_plugin import options

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


SHOW = """
import pytest

from podjig.pytest_plugin import options
from podjig.pytest_plugin import options

@pytest.hookimpl(trylast=True)
def pytest_report_header(config):
    return [f"OPTION {o.setting.name}={value.value!r} from {value.origin}"
            for o in options.OPTIONS for value in [options.explain(config, o.setting.name)]]
"""


def shown(result: pytest.RunResult) -> dict[str, str]:
    """Return each option, as :data:`SHOW` prints it: its name -> its value and origin."""
    lines = [line.removeprefix("OPTION ") for line in result.outlines if line.startswith("OPTION ")]
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


def test_an_option_comes_from_the_command_line_or_the_environment_or_the_ini(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makeconftest(SHOW)
    values = shown(project.runpytest_subprocess())
    assert values["no_engine"] == "'fail' from default"
    assert values["logs"] == "50 from default"
    assert values["early"] == "False from default"
    ini = project.makeini(
        "[pytest]\npodjig_no_engine = skip\npodjig_logs = 10\npodjig_early = yes\npodjig_keep = on-failure\n"
        "podjig_postgres_image = postgres:15 postgres:17\npodjig_postgres_migrate = app.db:upgrade\n"
    )
    monkeypatch.setenv("PODJIG_NO_ENGINE", "fail")
    monkeypatch.setenv("PODJIG_LOGS", "20")
    values = shown(project.runpytest_subprocess("--podjig-logs=30"))
    assert values["logs"] == "30 from command line"
    assert values["no_engine"] == "'fail' from environment variable PODJIG_NO_ENGINE"
    assert values["keep"] == f"'on-failure' from podjig_keep in {ini}"
    assert values["early"].startswith("True from podjig_early in ")
    assert values["postgres_image"].startswith("('postgres:15', 'postgres:17') from ")
    assert values["postgres_migrate"].startswith("'app.db:upgrade' from ")


def test_the_ini_in_pyproject_may_have_lists_and_engine_and_pull_too(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyprojecttoml(
        '[tool.podjig]\nengine = "private"\n[tool.pytest.ini_options]\npodjig_redis_image = ["redis:7", "redis:8"]\n'
        'podjig_engine = "unix:///no/such/ini.sock"\npodjig_mark_integration = true\n'
    )
    project.makeconftest(SHOW)
    result = project.runpytest_subprocess()
    assert "unix:///no/such/ini.sock" in header(result)[0]
    assert shown(result)["redis_image"].startswith("('redis:7', 'redis:8') from ")
    assert shown(result)["mark_integration"].startswith("True")
    monkeypatch.setenv("PODJIG_ENGINE", "unix:///no/such/environment.sock")
    assert "unix:///no/such/environment.sock" in header(project.runpytest_subprocess())[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("--podjig-xdist=both", "setting xdist = 'both' (command line) must be one of shared, worker"),
        ("--podjig-keep=always", "setting keep = 'always' (command line) must be one of never, on-failure"),
        ("--podjig-logs=many", "setting logs = 'many' (command line) is not a number of lines"),
        ("--podjig-logs=-1", "setting logs = '-1' (command line) must not be negative; 0 shows no logs"),
        ("podjig_no_engine=ignore", "setting no_engine = 'ignore' (podjig_no_engine in *) must be one of fail, skip"),
        ("podjig_early=perhaps", "podjig_early in *: *perhaps*"),
        (
            "podjig_postgres_mode=copy",
            "setting postgres_mode = 'copy' (podjig_postgres_mode in *) must be one of pool, *",
        ),
    ],
)
def test_a_wrong_value_is_refused_at_once_with_its_origin(project: pytest.Pytester, given: str, says: str) -> None:
    args = [given] if given.startswith("-") else ["-o", given]
    result = project.runpytest_subprocess(*args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {says}".replace("[", "[[]"), "  hint: *"])
    assert "Traceback" not in result.stderr.str()


def test_help_tells_ini_name_and_variable(project: pytest.Pytester) -> None:
    text = " ".join(project.runpytest_subprocess("--help").stdout.str().split())
    for name in ("xdist", "early", "reuse", "keep", "no_engine", "logs"):
        assert f"--podjig-{name.replace('_', '-')}" in text
        assert f"(ini: podjig_{name}; environment: PODJIG_{name.upper()})" in text
    assert "podjig_postgres_image" in text


def test_the_header_is_left_out_of_quiet_runs(project: pytest.Pytester) -> None:
    assert header(project.runpytest_subprocess("-q")) == []


def test_the_documentation_lists_every_option() -> None:
    text = (Path(__file__).parents[2] / "docs/pytest.md").read_text(encoding="utf-8")
    for option in options.OPTIONS:
        row = next((line for line in text.splitlines() if f"`{option.ini_name}`" in line and line.startswith("|")), "")
        assert row, f"docs/pytest.md does not tell of {option.ini_name}"
        assert (f"`{option.flag}" in row) == option.command_line
        assert (f"`{option.setting.variable}`" in row) == bool(option.setting.variable)


@pytest.mark.parametrize(
    ("options", "variable", "works"),
    [
        (["-p", "no:podjig"], "", False),
        ([], "1", False),
        (["-p", "podjig"], "1", True),
    ],
    ids=["switched off", "nothing loads itself", "named"],
)
def test_fixtures_without_the_plugin_tell_how_to_load_it(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: list[str], variable: str, works: bool
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", variable)
    project.makeconftest(
        """
        import pytest
        from podjig import PostgresContainer, container_fixture, postgres_database

        @pytest.fixture
        def url():
            return "postgresql://nobody@localhost:1"

        box = container_fixture(lambda: pytest.skip("asked for"))
        db = postgres_database("url", mode="template")
        """
    )
    project.makepyfile("def test_container(box): pass\ndef test_database(db): pass")
    result = project.runpytest_subprocess(*options)
    if works:
        result.assert_outcomes(skipped=1, errors=1)
        result.stdout.fnmatch_lines(["*no connection to database*"])
    else:
        result.assert_outcomes(errors=2)
        result.stdout.no_fnmatch_line("*AssertionError*")
        said = [line for line in result.outlines if "podjig's pytest plugin is not loaded" in line and "E  " in line]
        assert len(said) == 2
        result.stdout.fnmatch_lines(["*give '-p podjig'*"])
