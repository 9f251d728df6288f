from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterable

import pytest

from podjig.engine.protocol import Engine
from podjig.errors import CopyError, ResourceNotFound

Create = Callable[..., str]
Tar = Callable[..., io.BytesIO]


def unpack(pieces: Iterable[bytes]) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as tar:
        return {member.name: file.read() if (file := tar.extractfile(member)) is not None else b"" for member in tar}


def test_files_go_in_and_out(engine: Engine, run: Create, tar: Tar) -> None:
    box = run()
    engine.put_archive(box, "/tmp", tar(note=b"hello", other=b"x" * 100_000))
    assert engine.exec(box, ["cat", "/tmp/note"]).stdout == b"hello"
    assert unpack(engine.get_archive(box, "/tmp/note")) == {"note": b"hello"}
    assert unpack(engine.get_archive(box, "/tmp/other")) == {"other": b"x" * 100_000}


def test_a_folder_comes_out_whole(engine: Engine, run: Create, tar: Tar) -> None:
    box = run()
    engine.put_archive(box, "/tmp", tar(**{"sub/a": b"1", "sub/deep/b": b"2"}))
    files = {name.rstrip("/"): content for name, content in unpack(engine.get_archive(box, "/tmp/sub")).items()}
    assert files == {"sub": b"", "sub/a": b"1", "sub/deep": b"", "sub/deep/b": b"2"}


def test_files_go_in_before_the_start(engine: Engine, create: Create, tar: Tar) -> None:
    box = create()
    engine.put_archive(box, "/tmp", tar(note=b"early"))
    engine.start_container(box)
    assert engine.exec(box, ["cat", "/tmp/note"]).stdout == b"early"


def test_files_come_out_after_the_end(engine: Engine, run: Create, tar: Tar) -> None:
    box = run()
    engine.put_archive(box, "/tmp", tar(note=b"late"))
    engine.kill_container(box)
    engine.wait_container(box, timeout=10)
    assert unpack(engine.get_archive(box, "/tmp/note")) == {"note": b"late"}


@pytest.mark.needs("processes")
def test_owners_and_modes_are_kept(engine: Engine, run: Create) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        info = tarfile.TarInfo("owned")
        info.uid, info.gid, info.mode = 77, 78, 0o640
        tar.addfile(info)
    packed.seek(0)
    box = run()
    engine.put_archive(box, "/tmp", packed)
    assert engine.exec(box, ["stat", "-c", "%u %g %a", "/tmp/owned"]).stdout == b"77 78 640\n"


def test_a_missing_target_folder_is_an_error_and_is_not_made(engine: Engine, run: Create, tar: Tar) -> None:
    box = run()
    with pytest.raises(CopyError, match="/no/such/folder"):
        engine.put_archive(box, "/no/such/folder", tar(note=b"x"))
    with pytest.raises(CopyError):
        list(engine.get_archive(box, "/no"))


def test_a_file_is_no_target_folder(engine: Engine, run: Create, tar: Tar) -> None:
    box = run()
    engine.put_archive(box, "/tmp", tar(note=b"x"))
    with pytest.raises(CopyError, match="/tmp/note"):
        engine.put_archive(box, "/tmp/note", tar(note=b"x"))


def test_what_is_no_archive_is_an_error(engine: Engine, run: Create) -> None:
    with pytest.raises(CopyError):
        engine.put_archive(run(), "/tmp", io.BytesIO(b"no archive" * 1000))


def test_a_missing_path_is_an_error(engine: Engine, run: Create) -> None:
    with pytest.raises(CopyError, match="/no/such/file"):
        list(engine.get_archive(run(), "/no/such/file"))


def test_an_unknown_container_takes_no_files(engine: Engine, tar: Tar) -> None:
    with pytest.raises(ResourceNotFound, match="no-such-container"):
        engine.put_archive("no-such-container", "/tmp", tar(note=b"x"))
