"""The quicker ``pg_ctl`` of the test profile: init scripts use it like the real one, and the server never sees it."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from podjig import PostgresContainer
from podjig.services import pg_ctl

RESTART = """\
set -eu
pg_ctl -D "$PGDATA" -m fast -w stop
echo "work_mem = '7MB'" >>"$PGDATA/postgresql.conf"
pg_ctl -D "$PGDATA" -o "-c listen_addresses=''" -w start
pg_ctl -D "$PGDATA" status >/dev/null
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --command "CREATE TABLE made_after_the_restart ()"
"""


@pytest.mark.parametrize("image", ["postgres:15", "postgres:17"])
def test_an_init_script_may_restart_the_server(image: str, tmp_path: Path) -> None:
    script = tmp_path / "restart.sh"
    script.write_text(RESTART, encoding="utf-8")
    with (
        PostgresContainer(image, driver=None).with_init_script(script) as server,
        psycopg.connect(server.get_connection_url()) as connection,
    ):
        assert connection.execute("SHOW work_mem").fetchone() == ("7MB",)
        assert connection.execute("SELECT to_regclass('made_after_the_restart')::text").fetchone() == (
            "made_after_the_restart",
        )


def test_only_the_test_profile_brings_it() -> None:
    assert pg_ctl.VARIABLE in PostgresContainer("postgres:16").spec().env
    assert pg_ctl.VARIABLE not in PostgresContainer("postgres:16", durable=True).spec().env
