"""One PostgreSQL for all workers, started once. Each test has a database of its own, which no other worker touches."""

from podjig import PostgresContainer, container_fixture, postgres_database

pg = container_fixture(PostgresContainer("postgres:16"))
database = postgres_database("pg", migrate="tickets.box_office:prepare")
