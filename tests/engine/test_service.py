from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fresh_home import FreshHome, alive, kill_group, until
from podjig.engine.runtime_dir import private_folder, runtime_dir
from podjig.engine.service import PrivateService
from podjig.engine.service_log import Log
from podjig.errors import ConfigError, EngineUnavailable, ServiceStartError

ENSURE = """
import sys
from podjig.engine.service import PrivateService
service = PrivateService(idle=60)
print("ready", flush=True)
sys.stdin.readline() if len(sys.argv) > 1 else None
print(service.ensure().version, service.process_id, service.socket)
"""


@pytest.fixture
def home() -> Iterator[FreshHome]:
    with FreshHome() as home:
        yield home


def pid_of(service: PrivateService) -> int:
    pid = service.process_id
    assert pid is not None
    assert alive(pid)
    return pid


def test_starts_and_answers(home: FreshHome) -> None:
    service = home.service()
    assert not service.running()

    assert service.ensure().is_podman
    assert service.running()
    assert stat.S_IMODE(service.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(service.socket.stat().st_mode) == 0o600


def test_is_nobodys_child(home: FreshHome) -> None:
    service = home.service()
    service.ensure()
    fields = Path(f"/proc/{pid_of(service)}/stat").read_text().rpartition(")")[2].split()

    assert int(fields[1]) != os.getpid()
    assert int(fields[3]) != os.getsid(0)  # a session of its own: no Ctrl-C of ours reaches it


def test_start_does_not_wait_but_clients_may_connect(home: FreshHome) -> None:
    service = home.service()
    service.start()

    assert service.running()  # the ping waited in the queue


def test_ensure_again_starts_nothing(home: FreshHome) -> None:
    service = home.service()
    service.ensure()
    pid = pid_of(service)
    service.ensure()
    home.service().ensure()

    assert pid_of(service) == pid


def test_four_processes_share_one(home: FreshHome) -> None:
    processes = [home.python(ENSURE) for _ in range(4)]
    outputs = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0] * 4, outputs
    assert len({output for output, _ in outputs}) == 1, outputs
    assert len(list(home.service_folders())) == 1
    service = home.service()
    assert not service.log_path.with_name("service.log.1").exists()  # started once


def test_threads_share_one(home: FreshHome) -> None:
    service = home.service()
    pids: list[int] = []

    def use() -> None:
        service.ensure()
        pids.append(pid_of(service))

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pids) == 6
    assert len(set(pids)) == 1


def test_ends_when_idle_and_starts_again(home: FreshHome) -> None:
    service = home.service(idle=1)
    service.ensure()
    first = pid_of(service)
    until(lambda: not alive(first))

    service.ensure()
    assert pid_of(service) != first


def test_starts_again_after_a_kill(home: FreshHome) -> None:
    service = home.service()
    service.ensure()
    first = pid_of(service)
    kill_group(first)
    assert service.socket.exists()  # stale

    service.revive()
    assert pid_of(service) != first
    assert service.log_path.with_name("service.log.1").exists()


def test_a_forked_child_can_use_it(home: FreshHome) -> None:
    service = home.service()
    with service._mutex:  # as if another thread of the parent were just starting it
        child = os.fork()
        if child == 0:
            os._exit(0 if service.ensure().is_podman else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert service.running()


def test_another_home_is_another_service(home: FreshHome) -> None:
    other = home.root / "other"
    other.mkdir()
    same, another = home.service(), home.service(HOME=str(other))

    assert same.folder == home.service(LANG="de_DE.UTF-8", MY_TEST="1").folder
    assert another.folder != same.folder
    assert home.service(STORAGE_DRIVER="vfs").folder != same.folder
    home.configure("containers.conf", "[engine]\nnum_locks = 64\n")
    assert home.service().folder != same.folder


def test_failure_quotes_the_log(home: FreshHome) -> None:
    home.configure("containers.conf", '[engine]\nlock_type = "nonsense"\n')

    with pytest.raises(ServiceStartError, match="unknown lock type nonsense") as caught:
        home.service().ensure()
    assert "unknown lock type nonsense" in caught.value.logs
    assert "containers.conf" in caught.value.hint
    home.configure("containers.conf", "")
    assert home.service().ensure().is_podman


def test_known_failure_hints_at_its_repair(home: FreshHome) -> None:
    program = home.root / "bin/podman"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo podman version 4.3.1 && exit\n"
        "echo 'Error: cannot clone: No space left on device' >&2; exit 125\n"
    )
    program.chmod(0o755)

    with pytest.raises(ServiceStartError, match="No space left on device") as caught:
        home.service(PATH=f"{program.parent}:/usr/bin:/bin").ensure()
    assert "max_user_namespaces" in caught.value.hint


def test_users_settings_reach_the_service(home: FreshHome) -> None:
    path = home.configure("containers.conf", '[containers]\nlabel_users = true\nenv = ["FROM_USER=1"]\n')
    before = path.read_text()
    service = home.service()
    service.ensure()

    assert "FROM_USER=1" in (service.folder / "containers.conf").read_text()
    assert path.read_text() == before
    assert list(path.parent.iterdir()) == [path]


def test_broken_settings_are_named(home: FreshHome) -> None:
    path = home.configure("containers.conf", "[engine\n")
    with pytest.raises(ConfigError, match=str(path)):
        home.service().ensure()


@pytest.mark.skipif(os.getuid() == 0, reason="root has one store, which is not this test's")
@pytest.mark.parametrize("existing", ["", "vfs", "overlay"])
def test_existing_store_is_used_as_it_is(home: FreshHome, existing: str) -> None:
    if existing:
        home.podman("ps", STORAGE_DRIVER=existing)
    service = home.service()
    service.ensure()

    driver = home.podman(
        "--remote", "--url", service.address, "info", "--format", "{{.Store.GraphDriverName}} {{.Store.GraphRoot}}"
    )
    assert driver == f"{existing or 'overlay'} {home.home}/.local/share/containers/storage"
    assert not list(home.home.glob(".config/containers/*.conf"))


def test_no_podman(home: FreshHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podjig.engine.binary._FOLDERS", ())
    with pytest.raises(EngineUnavailable, match="podman is not on PATH") as caught:
        home.service(PATH="/nonexistent").ensure()
    assert "install" in caught.value.hint


def test_version_is_asked_once_for_each_file(home: FreshHome) -> None:
    program = home.root / "bin/podman"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho x >>{home.root}/asked\necho podman version 5.1.0-dev\n")
    program.chmod(0o755)
    path = f"{program.parent}:/usr/bin:/bin"

    assert home.service(PATH=path).version == (5, 1, 0)
    assert home.service(PATH=path).version == (5, 1, 0)
    assert (home.root / "asked").read_text() == "x\n"
    program.write_text("#!/bin/sh\necho podman version 5.2.0\n")
    assert home.service(PATH=path).version == (5, 2, 0)


def test_podman_that_does_not_run(home: FreshHome) -> None:
    program = home.root / "bin/podman"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho out of order >&2; exit 3\n")
    program.chmod(0o755)

    with pytest.raises(EngineUnavailable, match="exit code 3") as caught:
        home.service(PATH=str(program.parent)).ensure()
    assert "out of order" in caught.value.logs


class TestRuntimeDir:
    def test_users_own(self, home: FreshHome) -> None:
        folder = runtime_dir(home.environ)
        assert folder == home.runtime / "podjig"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    @pytest.mark.parametrize("unusable", ["absent", "x" * 90])
    def test_unusable_one_is_passed_over(self, home: FreshHome, unusable: str) -> None:
        folder = home.root / unusable
        if unusable != "absent":
            folder.mkdir()
        assert runtime_dir({**home.environ, "XDG_RUNTIME_DIR": str(folder)}).parent != folder

    def test_open_to_others_is_passed_over(self, home: FreshHome) -> None:
        home.runtime.chmod(0o777)
        assert runtime_dir(home.environ).parent != home.runtime

    def test_mode_is_repaired(self, home: FreshHome) -> None:
        (home.runtime / "podjig").mkdir(mode=0o755)
        assert stat.S_IMODE(runtime_dir(home.environ).stat().st_mode) == 0o700

    def test_link_is_refused(self, home: FreshHome) -> None:
        (home.runtime / "podjig").symlink_to(home.home)
        with pytest.raises(NotADirectoryError):
            private_folder(home.runtime / "podjig")

    @pytest.mark.skipif(os.getuid() == 0, reason="everything is root's")
    def test_folder_of_another_user_is_refused(self) -> None:
        with pytest.raises(PermissionError, match="belongs to uid 0"):
            private_folder(Path("/usr"))


class TestLog:
    def test_tail_holds_whole_lines(self, tmp_path: Path) -> None:
        log = Log(tmp_path / "x.log")
        with log.begin(["podman", "serve"]) as output:
            output.write(b"".join(b"line %d\n" % number for number in range(2000)))
        lines = log.tail().splitlines()

        assert lines[-1] == "line 1999"
        assert lines[0].startswith("line ")
        assert len(log.tail()) <= 4096

    def test_absent(self, tmp_path: Path) -> None:
        assert Log(tmp_path / "x.log").tail() == ""

    def test_begun_anew_and_the_last_one_kept(self, tmp_path: Path) -> None:
        log = Log(tmp_path / "x.log")
        for word in (b"first\n", b"second\n"):
            with log.begin(["podman"]) as output:
                output.write(word)
        assert log.tail() == "second"
        assert Log(tmp_path / "x.log.1").tail() == "first"

    def test_bounded_while_it_is_written_to(self, tmp_path: Path) -> None:
        log = Log(tmp_path / "x.log")
        with log.begin(["podman"]) as output:
            output.write(b"x" * 99 + b"\n" + b"long\n" * 300_000)
            log.keep_small()
            output.write(b"after\n")
        assert log.tail() == "after"
        assert (tmp_path / "x.log").stat().st_size < 100
        assert Log(tmp_path / "x.log.1").tail().endswith("long")
