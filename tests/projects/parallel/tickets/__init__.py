"""Tickets: each seat is sold once."""
