"""Images: names, substitution, pull, build."""
