"""A clean PostgreSQL database for each test, by the plugin's own fixtures and by those that users define."""

from __future__ import annotations

import re

import pytest

TWO_TESTS = """
def test_one({db}):
    with {db}.connect() as connection:
        connection.execute("CREATE TABLE mine (id int)")
        connection.execute("INSERT INTO mine VALUES (1)")

def test_two({db}):
    with {db}.connect() as connection:
        assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)
"""

SCHEMA = "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL);"

USERS = """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_users({db}, n):
    with {db}.connect() as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
        connection.execute("INSERT INTO users (name) VALUES ('me')")
        connection.commit()
"""


@pytest.fixture(autouse=True)
def order(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the tests of projects in the order in which they stand."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:randomly -p no:cacheprovider")


def test_without_any_configuration_each_test_finds_an_empty_database(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS.format(db="podjig_postgres"))
    project.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_database_says_in_every_way_how_it_is_reached(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import psycopg, sqlalchemy

        def test_it(podjig_postgres, podjig_postgres_server):
            db = podjig_postgres
            ours = "SELECT current_database()"
            engine = sqlalchemy.create_engine(db.url)
            with engine.connect() as connection:
                assert connection.execute(sqlalchemy.text(ours)).scalar() == db.name
            engine.dispose()
            with psycopg.connect(db.dsn) as connection:
                assert connection.execute(ours).fetchone() == (db.name,)
            with db.connect(autocommit=True) as connection:
                assert connection.execute(ours).fetchone() == (db.name,)
            assert db.port == podjig_postgres_server.get_exposed_port(5432)
            assert (db.host, db.user, db.password) == ("localhost", "test", "test")
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_every_mode_gives_each_test_the_migrated_schema_and_no_rows(project: pytest.Pytester) -> None:
    (project.path / "schema.sql").write_text(SCHEMA, encoding="utf-8")
    modes = ("pool", "template", "rollback", "truncate")
    fixtures = "\n".join(f"{mode} = postgres_database(migrate='schema.sql', mode='{mode}')" for mode in modes)
    project.makeconftest(f"from podjig import postgres_database\n{fixtures}")
    project.makepyfile(**{f"test_{mode}": USERS.format(db=mode) for mode in modes})
    project.runpytest_subprocess().assert_outcomes(passed=12)


def test_the_ini_chooses_images_mode_and_migration(project: pytest.Pytester) -> None:
    (project.path / "schema.sql").write_text(SCHEMA, encoding="utf-8")
    project.makeini(
        """
        [pytest]
        podjig_postgres_image = postgres:15 postgres:17
        podjig_postgres_mode = template
        podjig_postgres_migrate = schema.sql
        """
    )
    project.makepyfile(
        """
        def test_it(podjig_postgres, request):
            with podjig_postgres.connect() as connection:
                connection.execute("SELECT * FROM users")
                major = connection.info.server_version // 10000
            assert request.node.name == f"test_it[postgres:{major}]"
        """
    )
    result = project.runpytest_subprocess("-v")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::test_it[[]postgres:15[]] PASSED*", "*::test_it[[]postgres:17[]] PASSED*"])


def test_a_server_and_databases_of_a_users_own(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        import pytest
        from podjig import PostgresContainer, container_fixture, postgres_database

        pg = container_fixture(PostgresContainer("postgres:16", username="me", password="p@ss/word"))
        db = postgres_database("pg")
        mine = postgres_database("pg", scope="module")

        @pytest.fixture(scope="session")
        def url(pg):
            return pg.get_connection_url()

        by_url = postgres_database("url", mode="template")
        """
    )
    project.makepyfile(
        test_db=TWO_TESTS.format(db="db"),
        test_url=TWO_TESTS.format(db="by_url"),
        test_module="def test_one(mine): mine.seen = 1\ndef test_two(mine): assert mine.seen == 1",
        test_other="def test_one(mine, db):\n    assert not hasattr(mine, 'seen')\n    assert db.user == 'me'",
    )
    project.runpytest_subprocess().assert_outcomes(passed=7)


def test_the_built_in_fixtures_can_be_overridden(project: pytest.Pytester) -> None:
    project.makeconftest(
        """
        import pytest
        from podjig import PostgresContainer, container_fixture

        podjig_postgres_server = container_fixture(PostgresContainer("postgres:15"))

        @pytest.fixture
        def podjig_postgres(podjig_postgres):
            with podjig_postgres.connect() as connection:
                connection.execute("CREATE TABLE seed ()")
            return podjig_postgres
        """
    )
    project.makepyfile(
        """
        def test_it(podjig_postgres):
            with podjig_postgres.connect() as connection:
                connection.execute("SELECT * FROM seed")
                assert connection.info.server_version // 10000 == 15
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("options", "warnings"),
    [([], 1), (["-n", "2"], 1), (["-W", "error"], 1), (["-W", "ignore::podjig.LeftoverWarning"], 0)],
    ids=["alone", "xdist", "error", "ignored"],
)
def test_what_a_test_leaves_behind_is_put_away_and_named(
    project: pytest.Pytester, options: list[str], warnings: int
) -> None:
    project.makepyfile(
        """
        import psycopg
        kept = []

        def test_careless(podjig_postgres):
            connection = podjig_postgres.connect()
            connection.execute("CREATE TABLE mine ()")
            kept.append(connection)

        def test_next(podjig_postgres):
            with podjig_postgres.connect() as connection:
                connection.execute("CREATE TABLE mine ()")
        """
    )
    result = project.runpytest_subprocess("-p", "no:asyncio", *options)
    result.assert_outcomes(passed=2, warnings=warnings)
    if not warnings:
        return
    result.stdout.fnmatch_lines(
        ["*::test_careless", "*LeftoverWarning: *::test_careless left behind *idle transaction*"]
    )


def test_xdist_workers_share_one_server_and_no_database(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(8))
        def test_it(podjig_postgres, podjig_postgres_server, worker_id, n):
            print("server:", podjig_postgres_server.id, worker_id)
            with podjig_postgres.connect() as connection:
                connection.execute("CREATE TABLE mine ()")
        """
    )
    result = project.runpytest_subprocess("-n", "2", "-rP")
    result.assert_outcomes(passed=8)
    servers = set(re.findall("server: ([0-9a-f]{64}) (gw[01])", result.stdout.str()))
    assert len({server for server, _ in servers}) == 1
    assert len({worker for _, worker in servers}) == 2


def test_ids_of_any_alphabet_and_length(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", ["ключ", "数据库", "x" * 300, "a/b\\\\c'\\"; DROP", ""])
        def test_ünïcode(podjig_postgres, n):
            with podjig_postgres.connect() as connection:
                connection.execute("CREATE TABLE mine ()")
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=5)


def test_asyncio_and_anyio_tests_use_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import asyncpg, psycopg, pytest

        @pytest.mark.asyncio
        async def test_asyncpg(podjig_postgres):
            connection = await asyncpg.connect(podjig_postgres.dsn)
            assert await connection.fetchval("SELECT current_database()") == podjig_postgres.name
            await connection.close()

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_psycopg(podjig_postgres, anyio_backend):
            async with await psycopg.AsyncConnection.connect(podjig_postgres.dsn) as connection:
                await connection.execute("SELECT 1")
        """
    )
    project.runpytest_subprocess().assert_outcomes(passed=2)


def test_a_migration_that_fails_says_where(project: pytest.Pytester) -> None:
    (project.path / "schema.sql").write_text(f"{SCHEMA}\nCREATE TABLE users (id int);", encoding="utf-8")
    project.makeini("[pytest]\npodjig_postgres_migrate = schema.sql")
    project.makepyfile("def test_one(podjig_postgres): pass\ndef test_two(podjig_postgres): pass")
    result = project.runpytest_subprocess()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            '*schema.sql failed: DuplicateTable: relation "users" already exists',
            "*STATEMENT:  CREATE TABLE users (id serial*",  # what the server wrote
        ]
    )


def test_a_function_that_fails_says_in_which_line_each_time(project: pytest.Pytester) -> None:
    project.makepyfile(
        schema="""
        def users(connection):
            connection.execute("CREATE TABLE users ()")

        def upgrade(connection):
            users(connection)
            users(connection)
        """
    )
    project.makeini("[pytest]\npodjig_postgres_migrate = schema:upgrade\npythonpath = .")
    project.makepyfile("def test_one(podjig_postgres): pass\ndef test_two(podjig_postgres): pass")
    result = project.runpytest_subprocess()
    result.assert_outcomes(errors=2)
    says = "MigrationError: the migration by schema:upgrade failed at schema.py:2: DuplicateTable: *"
    result.stdout.fnmatch_lines([f"*{says}", f"*{says}"])


@pytest.mark.parametrize(
    ("definition", "says"),
    [
        ("db = postgres_database(mode='magic')", "*DefinitionError: unknown mode 'magic'*"),
        ("db = postgres_database(migrate='no.such:thing')", "*the migration 'no.such:thing' cannot be imported*"),
        ("db = postgres_database(migrate='absent.sql')", "*the SQL file 'absent.sql' does not exist*"),
        ("db = postgres_database('nobody')", "*fixture 'nobody' not found*"),
        (
            "pg = container_fixture(PostgresContainer(), scope='class'); db = postgres_database('pg', scope='module')",
            "*ScopeMismatch: *",
        ),
        (
            "import pytest\n@pytest.fixture\ndef pg(): return 5\ndb = postgres_database('pg')",
            "*5 is no PostgreSQL server*",
        ),
    ],
    ids=["mode", "module", "file", "fixture", "scope", "server"],
)
def test_a_wrong_definition_is_told(project: pytest.Pytester, definition: str, says: str) -> None:
    project.makeconftest(f"from podjig import PostgresContainer, container_fixture, postgres_database\n{definition}")
    project.makepyfile("def test_it(db): pass")
    result = project.runpytest_subprocess()
    (result.stdout if result.ret == pytest.ExitCode.TESTS_FAILED else result.stderr).fnmatch_lines([says])
