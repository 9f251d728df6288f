"""What a run has started and prepared, for its summary. Plain values: workers send theirs to the controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NamedTuple

import pytest

How = Literal["started", "shared", "reused"]


class ServiceRecord(NamedTuple):
    """One container as one process came by it.

    Attributes:
        fixture: The fixture that gave it, with the parameter's id where it has one: ``"pg"``, ``"pg[postgres:15]"``.
        image: The image's name, as the engine was asked for it.
        container: The container's full id; empty where it did not start.
        seconds: How long that took, from the beginning to ready.
        waited_for: What was waited for, in words; empty where nothing was.
        how: ``"started"`` here, ``"shared"``: attached to one that another worker started, or ``"reused"``: attached
            to one of an earlier run.
        worker: The xdist worker; empty where there is none.
        note: Why it was not reused, where that was asked for; else empty.
    """

    fixture: str
    image: str
    container: str
    seconds: float
    waited_for: str = ""
    how: How = "started"
    worker: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class IsolationRecord:
    """What clean states of one fixture have cost one process.

    Attributes:
        fixture: The fixture.
        mode: How a clean state came about, like ``"pool"``.
        count: How many tests got one.
        waited: Seconds they waited for it, together.
        released: Seconds that giving it back took, together.
        worker: The xdist worker; empty where there is none.
    """

    fixture: str
    mode: str
    count: int
    waited: float
    released: float
    worker: str = ""


class Records:
    """All records of a run; in the controller of pytest-xdist also those of its workers."""

    def __init__(self, worker: str = "") -> None:
        self.services: list[ServiceRecord] = []
        self._worker = worker
        self._isolations: dict[tuple[str, str, str], IsolationRecord] = {}

    @property
    def isolations(self) -> list[IsolationRecord]:
        """One for each fixture, mode and worker."""
        return list(self._isolations.values())

    def service(self, record: ServiceRecord) -> None:
        """Note a container."""
        self.services.append(record._replace(worker=record.worker or self._worker))

    def isolation(self, *, fixture: str, mode: str, waited: float, released: float = 0.0, count: int = 1) -> None:
        """Note ``count`` clean states; what was noted of the same fixture and mode is added up."""
        self._add(
            IsolationRecord(
                fixture=fixture, mode=mode, count=count, waited=waited, released=released, worker=self._worker
            )
        )

    def _add(self, record: IsolationRecord) -> None:
        key = (record.fixture, record.mode, record.worker)
        known = self._isolations.get(key)
        if known is not None:
            record = replace(
                record,
                count=known.count + record.count,
                waited=known.waited + record.waited,
                released=known.released + record.released,
            )
        self._isolations[key] = record

    def clear(self) -> None:
        """Forget all of it."""
        self.services.clear()
        self._isolations.clear()

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Return all of it as plain values, for another process."""
        return {
            "services": [record._asdict() for record in self.services],
            "isolations": [asdict(record) for record in self.isolations],
        }

    def load(self, dumped: Mapping[str, list[dict[str, Any]]]) -> None:
        """Add what another process has dumped."""
        self.services += [ServiceRecord(**raw) for raw in dumped["services"]]
        for raw in dumped["isolations"]:
            self._add(IsolationRecord(**raw))


_RECORDS = pytest.StashKey[Records]()


def records_of(config: pytest.Config) -> Records:
    """Return the run's records, begun at the first call."""
    if _RECORDS not in config.stash:
        workerinput: Mapping[str, Any] = getattr(config, "workerinput", {})
        config.stash[_RECORDS] = Records(worker=workerinput.get("workerid", ""))
    return config.stash[_RECORDS]
