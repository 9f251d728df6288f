"""Pages that know all of their versions."""
