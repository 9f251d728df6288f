"""Notes, kept in PostgreSQL, with their number in Redis."""
