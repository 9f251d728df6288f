"""Migrations by Alembic."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from isolation.postgres.conftest import Tables
from podjig.errors import DefinitionError, MigrationError
from podjig.isolation.postgres.database import PostgresDatabase
from podjig.isolation.postgres.migration.alembic_config import AlembicMigration
from podjig.isolation.postgres.migration.choice import migration

REVISION = """
from alembic import op
revision, down_revision = {number!r}, {before!r}
def upgrade():
    {body}
"""
ENV = {
    "elsewhere": "import os\nconfig.set_main_option('sqlalchemy.url', os.environ['ELSEWHERE'])\n",
    "nothing": "import sys\nsys.exit(3)\n",
}

Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project as ``alembic init`` makes it, with two revisions; returns the path of its alembic.ini."""

    def make(template: str = "generic", *, url: str = "driver://user:pass@localhost/dbname") -> Path:
        ini = tmp_path / "alembic.ini"
        command.init(Config(str(ini), stdout=io.StringIO()), str(tmp_path / "scripts"), template)
        ini.write_text(ini.read_text().replace("driver://user:pass@localhost/dbname", url))
        add("1", None, "op.execute('CREATE TABLE one (i int)')")
        add("2", "1", "op.execute('CREATE TABLE two (i int)')")
        return ini

    def add(number: str, before: str | None, body: str) -> None:
        text = REVISION.format(number=number, before=before, body=body)
        (tmp_path / "scripts" / "versions" / f"{number}_x.py").write_text(text)

    make.add = add  # type: ignore[attr-defined]
    return make


@pytest.mark.parametrize("template", ["generic", "async"])
@pytest.mark.parametrize("given", [str, Path, lambda ini: Config(str(ini))], ids=["str", "Path", "Config"])
def test_it_upgrades_to_the_head(
    project: Project, empty: PostgresDatabase, tables: Tables, given: Callable[[Path], Any], template: str
) -> None:
    migration(given(project(template))).run(empty)
    assert tables(empty) == ["alembic_version", "one", "two"]


def test_asynchronous_scripts_run_where_an_event_loop_runs_already(
    project: Project, empty: PostgresDatabase, tables: Tables
) -> None:
    ini = project("async")

    async def main() -> None:
        migration(ini).run(empty)

    asyncio.run(main())
    assert tables(empty) == ["alembic_version", "one", "two"]


def test_the_users_config_is_left_as_it_was(project: Project, empty: PostgresDatabase) -> None:
    config = Config(str(project()))
    config.attributes["mine"] = 1
    before = config.get_main_option("sqlalchemy.url")
    AlembicMigration(config).run(empty)
    assert config.get_main_option("sqlalchemy.url") == before
    assert config.attributes == {"mine": 1}


def test_a_config_without_a_file_and_one_of_pyproject(
    project: Project, tmp_path: Path, empty: PostgresDatabase, tables: Tables
) -> None:
    project()
    (tmp_path / "pyproject.toml").write_text('[tool.alembic]\nscript_location = "%(here)s/scripts"\n')
    config = Config()
    config.set_main_option("script_location", str(tmp_path / "scripts"))
    AlembicMigration(config).run(empty)
    assert tables(empty) == ["alembic_version", "one", "two"]
    migration(tmp_path / "pyproject.toml").run(empty)  # finds all done


def test_the_driver_of_the_url_in_the_file_is_kept(project: Project, tmp_path: Path, empty: PostgresDatabase) -> None:
    ini = project(url="postgresql+psycopg2://me@nowhere/x%%20y")
    env = tmp_path / "scripts" / "env.py"
    env.write_text(
        env.read_text() + "\nassert config.get_main_option('sqlalchemy.url').startswith('postgresql+psycopg2://test')\n"
    )
    migration(ini).run(empty)


def test_several_heads_are_fine(project: Project, empty: PostgresDatabase, tables: Tables) -> None:
    ini = project()
    project.add("3", "1", "op.execute('CREATE TABLE three (i int)')")  # type: ignore[attr-defined]
    migration(ini).run(empty)
    assert tables(empty) == ["alembic_version", "one", "three", "two"]


def test_logging_stays_as_pytest_has_set_it_up(
    project: Project, empty: PostgresDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    mine = logging.getLogger("mine.of.a.test")
    handlers, level = list(logging.root.handlers), logging.root.level
    with caplog.at_level(logging.INFO):
        migration(project()).run(empty)
        mine.info("still heard")
    assert "still heard" in caplog.text
    assert "Running upgrade 1 -> 2" in caplog.text, "alembic's own log goes where pytest's does"
    assert (logging.root.handlers, logging.root.level) == (handlers, level)
    assert not mine.disabled
    assert logging.config.fileConfig.__module__ == "logging.config"


def test_the_path_of_imports_stays_as_it_is(project: Project, empty: PostgresDatabase) -> None:
    ini = project()
    assert "prepend_sys_path" in ini.read_text()
    before = list(sys.path)
    chosen = migration(ini)
    assert sys.path == before
    chosen.run(empty)
    assert sys.path == before


def test_its_output_is_not_in_the_way(
    project: Project, empty: PostgresDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    ini = project()
    capsys.readouterr()
    migration(ini).run(empty)
    assert capsys.readouterr() == ("", "")


def test_a_failing_revision_tells_its_own_error(project: Project, empty: PostgresDatabase) -> None:
    ini = project()
    project.add("3", "2", "op.execute('CREATE TABEL three (i int)')")  # type: ignore[attr-defined]
    with pytest.raises(MigrationError, match=r"versions/3\S*\.py:\d+: .*SyntaxError") as caught:
        migration(ini).run(empty)
    assert str(ini) in caught.value.message
    assert "TABEL" in caught.value.message


@pytest.mark.parametrize(("kind", "says"), [("elsewhere", "upgraded another"), ("nothing", "exit status 3")])
def test_scripts_that_go_their_own_way_are_told(
    project: Project, tmp_path: Path, empty: PostgresDatabase, server: object, monkeypatch: pytest.MonkeyPatch,
    kind: str, says: str,
) -> None:  # fmt: skip
    ini = project()
    env = tmp_path / "scripts" / "env.py"
    env.write_text(env.read_text().replace("config = context.config", f"config = context.config\n{ENV[kind]}"))
    monkeypatch.setenv("ELSEWHERE", "sqlite://")
    with pytest.raises(MigrationError, match=says):
        migration(ini).run(empty)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[alembic]\n", "script_location"),
        ("[alembic]\nscript_location = nowhere\n", "nowhere"),
        ("nonsense", "section"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_at_once(tmp_path: Path, text: str, says: str) -> None:
    ini = tmp_path / "alembic.ini"
    ini.write_text(text)
    with pytest.raises(DefinitionError, match=says) as caught:
        migration(ini)
    assert str(ini) in caught.value.message
    assert caught.value.hint


def test_the_key_is_that_of_options_and_scripts_but_not_of_the_url(project: Project, tmp_path: Path) -> None:
    ini = project()
    first = migration(ini).key
    ini.write_text(ini.read_text().replace("driver://user:pass@localhost/dbname", "postgresql://me@here/x"))
    assert migration(ini).key == first
    config = Config(str(ini))
    config.set_main_option("timezone", "UTC")
    (tmp_path / "scripts" / "versions" / "notes.sql").write_text("SELECT 1")
    second = migration(ini).key
    project.add("3", "2", "pass")  # type: ignore[attr-defined]
    assert len({first, second, migration(ini).key, migration(config).key}) == 4
