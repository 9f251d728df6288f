"""A clean Redis for each test. The ways to it are one module each; ``databases.py`` chooses."""
