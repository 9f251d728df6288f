"""Waiting until a container is ready: one strategy a file, one loop for all."""
