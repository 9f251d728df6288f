"""Copying into and out of a container."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from podjig import GenericContainer
from podjig.container.files import copy_out
from podjig.errors import CopyError, NotStartedError


def mode(box: GenericContainer, path: str) -> str:
    return box.exec(["stat", "-c", "%a %u:%g", path]).stdout.decode().strip()


def content(box: GenericContainer, path: str) -> bytes:
    return box.exec(["cat", path]).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file, an executable, a folder in it, an empty folder and a link."""
    top = tmp_path / "folder"
    (top / "sub").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "file").write_text("a file", encoding="utf-8")
    (top / "sub" / "run").write_text("#!/bin/sh\necho it runs", encoding="utf-8")
    (top / "sub" / "run").chmod(0o755)
    (top / "link").symlink_to("sub/run")
    return top


# In


def test_bytes(box: GenericContainer) -> None:
    box.copy_into_container(b"some \0 bytes", "/tmp/bytes")
    assert content(box, "/tmp/bytes") == b"some \0 bytes"
    assert mode(box, "/tmp/bytes") == "644 0:0"


def test_bytes_with_a_mode(box: GenericContainer) -> None:
    box.copy_into_container(b"#!/bin/sh\necho it runs", "/tmp/script", 0o750)
    assert mode(box, "/tmp/script") == "750 0:0"
    assert box.exec("/tmp/script").stdout == b"it runs\n"


def test_a_file_keeps_its_executable_bit(box: GenericContainer, folder: Path) -> None:
    box.copy_into_container(folder / "sub" / "run", "/tmp/run")
    assert mode(box, "/tmp/run") == "755 0:0"
    box.copy_into_container(str(folder / "sub" / "run"), "/tmp/not-run", 0o600)
    assert mode(box, "/tmp/not-run") == "600 0:0"


def test_a_slash_at_the_end_keeps_the_files_name(box: GenericContainer, folder: Path) -> None:
    box.copy_into_container(folder / "file", "/var/")
    assert content(box, "/var/file") == b"a file"
    box.copy_into_container(folder, "/var/")
    assert content(box, "/var/folder/file") == b"a file"


def test_a_slash_at_the_end_names_the_current_folder_as_well(
    box: GenericContainer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    box.copy_into_container(".", "/home/")
    assert content(box, "/home/folder/file") == b"a file"


def test_a_folder(box: GenericContainer, folder: Path) -> None:
    box.copy_into_container(folder, "/tmp/new")
    found = box.exec(["sh", "-c", "cd /tmp/new && find . | sort"]).stdout.decode().split()
    assert found == [".", "./empty", "./file", "./link", "./sub", "./sub/run"]
    assert box.exec("/tmp/new/link").stdout == b"it runs\n"


def test_a_folder_with_a_mode_for_its_files(box: GenericContainer, folder: Path) -> None:
    box.copy_into_container(folder, "/tmp/modes", 0o640)
    assert mode(box, "/tmp/modes/sub/run") == "640 0:0"
    assert mode(box, "/tmp/modes/sub").startswith("7")


def test_a_folder_is_merged_into_one_that_exists(box: GenericContainer, folder: Path) -> None:
    box.exec(["sh", "-c", "mkdir -p /tmp/merged; echo kept > /tmp/merged/mine; echo old > /tmp/merged/file"])
    box.copy_into_container(folder, "/tmp/merged")
    assert content(box, "/tmp/merged/mine") == b"kept\n"
    assert content(box, "/tmp/merged/file") == b"a file"


def test_a_file_does_not_take_the_place_of_a_folder(box: GenericContainer, folder: Path) -> None:
    box.exec(["sh", "-c", "mkdir -p /tmp/kept; echo kept > /tmp/kept/mine"])
    for source in (b"x", folder / "file"):
        with pytest.raises(CopyError, match="/tmp"):
            box.copy_into_container(source, "/tmp/kept")
    assert content(box, "/tmp/kept/mine") == b"kept\n"


def test_nor_a_folder_that_of_a_file(box: GenericContainer, folder: Path) -> None:
    box.copy_into_container(b"kept", "/tmp/a-file")
    with pytest.raises(CopyError, match="/tmp"):
        box.copy_into_container(folder, "/tmp/a-file")
    assert content(box, "/tmp/a-file") == b"kept"


def test_a_link_on_this_machine_stands_for_what_it_leads_to(box: GenericContainer, folder: Path) -> None:
    (folder / "alias").symlink_to(folder / "file")
    box.copy_into_container(folder / "alias", "/tmp/")
    assert content(box, "/tmp/alias") == b"a file"


def test_a_file_is_replaced(box: GenericContainer) -> None:
    box.copy_into_container(b"a long first text", "/tmp/replaced")
    box.copy_into_container(b"second", "/tmp/replaced")
    assert content(box, "/tmp/replaced") == b"second"


@pytest.mark.parametrize("name", ["ä€😀.txt", "two words", "-dash", "quote'\"", "a" * 200])
def test_names_and_contents_of_all_kinds_go_there_and_back(box: GenericContainer, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(name.encode())
    box.copy_into_container(tmp_path / name, "/tmp/")
    assert box.copy_from_container(f"/tmp/{name}") == name.encode()
    box.copy_from_container(f"/tmp/{name}", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == name.encode()


def test_an_empty_file_goes_there_and_back(box: GenericContainer, tmp_path: Path) -> None:
    box.copy_into_container(b"", "/tmp/empty")
    assert box.copy_from_container("/tmp/empty") == b""
    box.copy_from_container("/tmp/empty", tmp_path)
    assert (tmp_path / "empty").read_bytes() == b""


def test_a_large_file_goes_there_and_back(box: GenericContainer, tmp_path: Path) -> None:
    large = bytes(range(256)) * (20 << 12)
    (tmp_path / "large").write_bytes(large)
    box.copy_into_container(tmp_path / "large", "/tmp/large")
    assert box.copy_from_container("/tmp/large") == large


def test_a_tmpfs_takes_files_too() -> None:
    with GenericContainer("busybox", command="sleep 600").with_tmpfs_mount("/ram") as box:
        box.copy_into_container(b"x", "/ram/file")
        assert content(box, "/ram/file") == b"x"
        assert box.copy_from_container("/ram/file") == b"x"


def test_before_the_start(folder: Path) -> None:
    container = (
        GenericContainer("busybox", command="sh -c '/opt/start; cat /etc/message /opt/folder/file; sleep 600'")
        .with_copy_into_container(b"#!/bin/sh\necho started", "/start", 0o755)
        .with_copy_into_container(b"a message,", "/etc/message")
        .with_copy_into_container(folder, "/opt")
        .with_copy_into_container(folder, "/opt/")
        .with_copy_into_container(folder / "sub" / "run", "/opt/start")
    )
    with container.waiting_for(lambda c: "a file" in c.logs()) as box:
        assert box.logs() == "it runs\na message,a file"


@pytest.mark.parametrize(
    ("source", "destination", "says"),
    [
        (b"x", "/no/such/folder/x", "'/no/such/folder'"),
        (b"x", "/etc/passwd/x", "'/etc/passwd'"),
        (b"x", "/etc/", "bytes need a file name, but '/etc/' is a folder"),
        (b"x", "etc/x", "'etc/x' is not an absolute path"),
        ("/no/such/source", "/tmp/x", "'/no/such/source'"),
        (Path("/no/such/source"), "/tmp/", "'/no/such/source'"),
    ],
)
def test_a_copy_that_cannot_be_is_an_error_that_names_the_path(
    box: GenericContainer, labels: dict[str, str], source: bytes | str | Path, destination: str, says: str
) -> None:
    with pytest.raises(CopyError, match=says):
        box.copy_into_container(source, destination)
    before = GenericContainer("busybox", command="sleep 600").with_copy_into_container(source, destination)
    with pytest.raises(CopyError, match=says):
        before.with_labels(labels).start()


def test_a_file_that_may_not_be_read_is_named(box: GenericContainer, tmp_path: Path) -> None:
    (tmp_path / "secret").touch(0o000)
    with pytest.raises(CopyError, match="secret"):
        box.copy_into_container(tmp_path / "secret", "/tmp/")


# Out


@pytest.fixture(scope="module")
def full(box: GenericContainer) -> GenericContainer:
    """The container, with a folder in it."""
    script = """
    mkdir -p /data/sub/deeper /data/hollow; echo one > /data/one; echo two > /data/sub/two
    echo run > /data/run; chmod 750 /data/run; ln -s one /data/link; ln -s /etc/passwd /data/outside
    ln /data/one /data/hard; ln -s sub /data/subs
    """
    assert box.exec(["sh", "-c", script]).exit_code == 0
    return box


def test_out_as_bytes(full: GenericContainer) -> None:
    assert full.copy_from_container("/data/one") == b"one\n"


def test_out_to_a_file(full: GenericContainer, tmp_path: Path) -> None:
    assert full.copy_from_container("/data/run", tmp_path / "mine") == b""
    assert (tmp_path / "mine").read_bytes() == b"run\n"
    assert (tmp_path / "mine").stat().st_mode & 0o777 == 0o750


def test_out_to_a_folder_it_keeps_its_name(full: GenericContainer, tmp_path: Path) -> None:
    full.copy_from_container("/data/run", str(tmp_path))
    assert (tmp_path / "run").read_bytes() == b"run\n"


def test_out_over_an_older_file(full: GenericContainer, tmp_path: Path) -> None:
    (tmp_path / "one").write_text("an older and longer one", encoding="utf-8")
    full.copy_from_container("/data/one", tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == b"one\n"


@pytest.mark.parametrize("times", [1, 2])
def test_a_whole_folder_out(full: GenericContainer, tmp_path: Path, times: int) -> None:
    for _ in range(times):
        full.copy_from_container("/data", tmp_path)
    data = tmp_path / "data"
    names = sorted(str(path.relative_to(data)) for path in data.rglob("*") if not path.match("subs/*"))
    assert names == ["hard", "hollow", "link", "one", "outside", "run", "sub", "sub/deeper", "sub/two", "subs"]
    assert (data / "sub" / "two").read_bytes() == b"two\n"
    assert (data / "hard").read_bytes() == b"one\n"
    assert (data / "link").readlink() == Path("one")
    assert (data / "outside").readlink() == Path("/etc/passwd")  # a link as it is: it is not followed here


def test_a_folder_out_under_a_new_name(full: GenericContainer, tmp_path: Path) -> None:
    full.copy_from_container("/data/sub/", tmp_path / "other")
    assert (tmp_path / "other" / "two").read_bytes() == b"two\n"


def test_a_link_out_is_the_file_it_leads_to(full: GenericContainer, tmp_path: Path) -> None:
    assert full.copy_from_container("/data/link") == b"one\n"
    full.copy_from_container("/data/link", tmp_path / "from-link")
    assert not (tmp_path / "from-link").is_symlink()
    assert (tmp_path / "from-link").read_bytes() == b"one\n"


def test_a_folder_has_no_bytes(full: GenericContainer) -> None:
    with pytest.raises(CopyError, match="'/data' is not a file"):
        full.copy_from_container("/data")


@pytest.mark.parametrize("path", ["/no/such/file", "/data/one/x"])
def test_a_missing_path_inside_is_named(full: GenericContainer, tmp_path: Path, path: str) -> None:
    with pytest.raises(CopyError, match=path):
        full.copy_from_container(path)
    with pytest.raises(CopyError, match=path):
        full.copy_from_container(path, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_here_is_named(full: GenericContainer, tmp_path: Path) -> None:
    with pytest.raises(CopyError, match="no folder '.*/absent' on this machine"):
        full.copy_from_container("/data/one", tmp_path / "absent" / "one")


def test_a_folder_here_that_may_not_be_written_is_named(full: GenericContainer, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(CopyError, match="cannot be written"):
        full.copy_from_container("/data/one", tmp_path)
    tmp_path.chmod(0o700)


def test_out_of_a_container_that_has_ended() -> None:
    with GenericContainer("busybox", command="sh -c 'echo result > /result'") as job:
        assert job.wait(timeout=10) == 0
        assert job.copy_from_container("/result") == b"result\n"


def test_before_the_start_there_is_nothing_to_copy(tmp_path: Path) -> None:
    container = GenericContainer("busybox")
    with pytest.raises(NotStartedError):
        container.copy_from_container("/etc/passwd")
    with pytest.raises(NotStartedError):
        container.copy_into_container(b"x", "/x")


# An archive is never trusted


def archive(*members: tuple[str, str]) -> bytes:
    """A hand-made archive: (name, content), or (name, "-> target") for a link and "=> target" for a hard one."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, what in members:
            member = tarfile.TarInfo(name)
            if what == "/":
                member.type, member.mode = tarfile.DIRTYPE, 0o755
            elif what[:3] in ("-> ", "=> "):
                member.type = tarfile.SYMTYPE if what[0] == "-" else tarfile.LNKTYPE
                member.linkname = what[3:]
            else:
                member.size = len(what)
            tar.addfile(member, io.BytesIO(what.encode()) if member.isreg() else None)
    return buffer.getvalue()


def unpack(data: bytes, destination: Path) -> None:
    engine: Any = SimpleNamespace(get_archive=lambda id, path: iter([data]))
    copy_out(engine, "id", "/top", destination)


@pytest.mark.parametrize(
    "members",
    [
        [("top", "/"), ("top/../../evil", "x")],
        [("top", "/"), ("top/link", "-> .."), ("top/link/evil", "x")],
        [("top", "-> .."), ("top/evil", "x")],
        [("top", "/"), ("top/link", "-> ../evil"), ("top/link/x", "x")],
        [("top", "/"), ("top/stolen", "=> top/../../secret")],
    ],
    ids=["dots", "link", "top is a link", "dangling link", "hard link"],
)
def test_an_archive_that_leaves_its_target_is_refused(tmp_path: Path, members: list[tuple[str, str]]) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "work").mkdir()
    with pytest.raises(CopyError, match="the archive"):
        unpack(archive(*members), tmp_path / "work" / "target")
    assert not list(tmp_path.rglob("evil"))
    assert [path for path in tmp_path.rglob("stolen") if path.exists()] == []


def test_absolute_names_and_links_that_are_overwritten_stay_in_the_target(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    data = archive(("/top", "/"), ("/top/a", "1"), ("top/link", "-> ../secret"), ("top/link", "not through it"))
    unpack(data, tmp_path / "target")
    assert (tmp_path / "target" / "a").read_text(encoding="utf-8") == "1"
    assert (tmp_path / "target" / "link").read_text(encoding="utf-8") == "not through it"
    assert (tmp_path / "secret").read_text(encoding="utf-8") == "secret"


def test_devices_and_pipes_are_left_out(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, kind in (("top", tarfile.DIRTYPE), ("top/pipe", tarfile.FIFOTYPE), ("top/disk", tarfile.BLKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.mode = kind, 0o755
            tar.addfile(member)
    unpack(buffer.getvalue(), tmp_path / "target")
    assert list((tmp_path / "target").iterdir()) == []
