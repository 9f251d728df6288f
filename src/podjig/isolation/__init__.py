"""A clean state of a server for each test: PostgreSQL databases, Redis databases, and a protocol for more."""
