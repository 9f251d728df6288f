"""What makes a schema: a callable, SQL files, Alembic, a command. One kind a module; ``choice.py`` tells them apart."""
