"""Mode ``template``: a database cloned when a test asks for one, dropped in the background when it is done."""

from __future__ import annotations

from dataclasses import dataclass

from podjig.isolation.postgres.cloning import CloningDatabases
from podjig.isolation.postgres.database import PostgresDatabase


class TemplateDatabases(CloningDatabases["_Clone"]):
    """Clones of one template. Simple: no other process has a part in it, but for the template itself."""

    _ours = 2  # the one that clones, and the one that drops

    def acquire(self, requester: str = "") -> PostgresDatabase:
        """Return a clone made just now; see :class:`podjig.isolation.protocol.Isolation`.

        Raises:
            MigrationError: The migration failed.
            IsolationError: There is none to be had.
        """
        if self._is_inherited:
            self._begin()
        name = self._made(requester)
        state = PostgresDatabase(self._server, name)
        self._give(state, _Clone(name=name), requester)
        return state

    def release(self, state: PostgresDatabase, *, keep: bool = False) -> None:
        """Have a database dropped, soon; what its test changed on the whole server is undone at once.

        Raises:
            IsolationError: The server is gone.
        """
        given = self._taken(state)
        if given is None:
            return
        dropped = self._leave(given, keep=keep)
        if keep:
            self._keep(given.clone, given.requester)
        elif not dropped:
            self._discard(given.clone, given.requester)


@dataclass(frozen=True, kw_only=True)
class _Clone:
    """A database to which we have no connection."""

    name: str

    def close(self) -> None:
        """Do nothing."""
