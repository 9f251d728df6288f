"""Finding a server, whatever it is given as."""

from __future__ import annotations

from podjig.isolation.postgres.server import PostgresServer


def test_it_answers(each_server: PostgresServer) -> None:
    with each_server.connect() as connection:
        assert connection.execute("SELECT current_database()").fetchone() == (each_server.dbname,)
