"""What a session that nobody cleaned up after has left."""

from __future__ import annotations

import os

from cleanup.world import World
from podjig.cleanup.labels import Kind, Owner, owner_labels, resource_labels
from podjig.cleanup.lease import create


class Ghost:
    """A session that has ended, and everything of it still there.

    Args:
        world: Where.
        address: Of its engine, as its lease says. By default another one, so that no helper's sweep comes for it.
    """

    def __init__(self, world: World, *, address: str = "unix:///another/engine.sock") -> None:
        self.world = world
        self.id = os.urandom(6).hex()
        self.leases = world.folders.leases
        create(self.leases, self.id, address=address).release()

    def labels(self, kind: Kind, **changes: str) -> dict[str, str]:
        mine = owner_labels(Owner.this_process(), session=self.id, leases=self.leases.id)
        return {**mine, **resource_labels(kind, lifetime=3600), **changes}

    def make(self, kind: Kind, name: str, **changes: str) -> str:
        return self.world.make(kind, name, self.labels(kind, **changes))
