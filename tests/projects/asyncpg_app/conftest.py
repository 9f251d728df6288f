"""podjig's own fixtures are enough: what they are is in pyproject.toml. They are not async: any plugin can use them."""

from podjig import postgres_database

run_database = postgres_database(scope="session")  # for tests that are rolled back: test_rollback.py
