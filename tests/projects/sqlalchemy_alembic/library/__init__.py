"""A library's catalogue."""
