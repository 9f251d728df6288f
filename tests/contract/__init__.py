"""One contract for all engines."""
