"""A tiny application: what the tests beside it test."""
