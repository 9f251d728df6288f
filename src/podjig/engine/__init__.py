"""Container engines: the verbs podjig needs, and who speaks them."""
