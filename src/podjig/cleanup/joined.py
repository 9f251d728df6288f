"""A session of another process, as it is seen by one that makes things in it."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from podjig.cleanup.folders import folders
from podjig.cleanup.labels import Kind
from podjig.cleanup.membership import Membership
from podjig.cleanup.session import Keep, Session
from podjig.engine.protocol import Engine
from podjig.errors import EngineUnavailable, PodjigError


class JoinedSession(Session):
    """Another process's session: things are made with its labels, and removed by it.

    Args:
        engine: The engine.
        membership: What that process has told of its session.

    Raises:
        EngineUnavailable: That session is with another engine.
    """

    def __init__(self, engine: Engine, membership: Membership) -> None:
        if engine.info.address != membership.address:
            raise EngineUnavailable(
                f"cannot make things at {engine.info.address} in a session with {membership.address}",
                hint="give both processes the same engine (PODJIG_ENGINE)",
            )
        self.id: str = membership.session
        self._engine = engine
        self._mutex = threading.Lock()
        self._folders = folders()
        self._open = {}
        self._unsure = 0
        self._lent = False
        self._owner_labels = dict(membership.labels)

    def keep(self, kind: Kind, id: str, keep: Keep, *, uses: Iterable[tuple[Kind, str]] = ()) -> None:
        """Keep something, and what it uses, whichever process of the session has made that."""
        used = list(uses)
        self._open.update(dict.fromkeys(used))
        super().keep(kind, id, keep, uses=used)

    def close(self) -> list[PodjigError]:
        """Do nothing: it ends with its own process."""
        return []

    def abandon(self) -> None:
        """Do nothing: there is nothing of it to let go of."""
