from __future__ import annotations

from collections.abc import Callable

import pytest

from podjig.engine.protocol import Engine
from podjig.errors import EngineRequestError, NameInUse
from podjig.spec import Mount

Create = Callable[..., str]


def test_a_volume_is_made_listed_and_removed(engine: Engine, volume: str) -> None:
    engine.create_volume(volume, labels={"contract.volume": volume})
    assert engine.list_volumes(labels={"contract.volume": volume}) == [volume]
    assert volume in engine.list_volumes(labels={"contract.volume": ""})
    assert engine.list_volumes(labels={"contract.volume": volume, "contract.other": "x"}) == []
    assert volume in engine.list_volumes()
    engine.remove_volume(volume)
    assert volume not in engine.list_volumes()


def test_a_name_in_use_is_an_error(engine: Engine, volume: str) -> None:
    engine.create_volume(volume)
    with pytest.raises(NameInUse, match=volume):
        engine.create_volume(volume)


def test_removal_is_quiet_where_there_is_none(engine: Engine, volume: str) -> None:
    engine.remove_volume(volume)


def test_a_used_volume_is_not_removed(engine: Engine, create: Create, volume: str) -> None:
    engine.create_volume(volume)
    box = create(mounts=(Mount(kind="volume", source=volume, target="/data"),))
    with pytest.raises(EngineRequestError, match=volume):
        engine.remove_volume(volume)
    engine.remove_container(box)
    assert volume in engine.list_volumes()  # it is named: only anonymous ones go with their container
    engine.remove_volume(volume)
    assert volume not in engine.list_volumes()


@pytest.mark.needs("processes")
def test_a_volume_outlives_its_container(engine: Engine, run: Create, volume: str) -> None:
    engine.create_volume(volume)
    first = run("echo kept > /data/note", mounts=(Mount(kind="volume", source=volume, target="/data"),))
    engine.wait_container(first, timeout=10)
    engine.remove_container(first)
    second = run(mounts=(Mount(kind="volume", source=volume, target="/data", read_only=True),))
    assert engine.exec(second, ["cat", "/data/note"]).stdout == b"kept\n"
    assert engine.exec(second, ["sh", "-c", "touch /data/x 2>/dev/null"]).exit_code != 0
