"""The broker's process: when it starts, what it survives, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from podjig import PostgresContainer
from podjig.errors import IsolationError
from podjig.isolation.postgres.broker.launch import folder_of
from podjig.isolation.postgres.broker.link import Link
from podjig.isolation.postgres.drop import drop
from podjig.isolation.postgres.migration.nothing import NoMigration
from podjig.isolation.postgres.pool_databases import PoolDatabases
from podjig.isolation.postgres.server import PostgresServer

Ask = Callable[..., list[Any]]

CLONES = "SELECT datname FROM pg_database WHERE starts_with(datname, 'podjig_pool_')"

CLIENT = """
import os, sys, time
from podjig.isolation.postgres.migration.nothing import NoMigration
from podjig.isolation.postgres.pool_databases import PoolDatabases
from podjig.isolation.postgres.server import PostgresServer
server = PostgresServer(**{!r})
databases = PoolDatabases(server, migration=NoMigration())
held = [databases.acquire() for _ in range(3)]
while not databases._client._link.token:
    databases.leftovers()
    time.sleep(0.005)
print(databases._client._link.pid, *[each.name for each in held], flush=True)
sys.stdin.read()
"""


def soon(happens: Callable[[], object], what: str, seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until, f"not after {seconds:g} s: {what}"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(pid: int) -> bool:
    return not lives(pid)


def link_of(databases: PoolDatabases) -> Link:
    """Return its link to the broker, as soon as that has answered."""

    def answered() -> bool:
        client = databases._client
        assert client is not None
        client._with_broker(client._refill)
        return client._link is not None and client._link.token != ""

    soon(answered, "the broker answers")
    assert databases._client is not None
    assert databases._client._link is not None
    return databases._client._link


def use(databases: PoolDatabases, times: int = 1) -> None:
    for _ in range(times):
        database = databases.acquire()
        with database.connect(autocommit=True) as connection:
            connection.execute("CREATE TABLE t ()")
        databases.release(database)


@pytest.fixture
def databases(server: PostgresServer, ask: Ask) -> Iterator[PoolDatabases]:
    """A pool; when it is closed, its broker's process and folder go, and all clones."""
    before = set(folder_of("").parent.glob("broker-*"))
    pool = PoolDatabases(server, migration=NoMigration())
    yield pool
    pool.close()
    soon(lambda: not ask(server, CLONES), "no clone is left")

    def folders() -> list[Path]:
        new = set(folder_of("").parent.glob("broker-*")) - before
        return [folder for folder in new if not (folder / "socket").exists()]

    soon(lambda: not folders(), "no folder is left")


@pytest.fixture
def client(server: PostgresServer) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Start another test process, which has three databases."""
    started = []
    parameters = {name: getattr(server, name) for name in ("host", "port", "user", "password", "dbname", "socket")}

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", CLIENT.format(parameters)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def told(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Return the pid of the broker that a test process has, and its databases."""
    assert process.stdout is not None
    pid, *names = process.stdout.readline().split()
    return int(pid), names


def test_it_is_nobodys_child_and_holds_nothing_of_ours(databases: PoolDatabases) -> None:
    use(databases)
    pid = link_of(databases).pid
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"PPid:\t{os.getpid()}\n" not in status
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    assert os.getsid(pid) != os.getsid(0)
    known = ("socket:", "anon_inode:", str(folder_of("").parent))

    def others() -> list[str]:
        targets = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]  # noqa: PTH115  no paths
        return [target for target in targets if not target.startswith(known) and not target.endswith(".pyc")]

    soon(lambda: others() == ["/dev/null"], "the broker holds nothing else")


def test_it_is_small(databases: PoolDatabases) -> None:
    use(databases, 10)
    pid = link_of(databases).pid
    figures = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    private = sum(int(figures[name].split()[0]) for name in ("Private_Clean", "Private_Dirty"))
    assert private < 25_000, f"{private} kB that are its own"


def test_it_ends_soon_after_its_last_client(databases: PoolDatabases) -> None:
    use(databases)
    pid = link_of(databases).pid
    databases.close()
    soon(lambda: not lives(pid), "the broker ends")


def test_one_serves_all_processes_that_begin_at_once(
    server: PostgresServer, client: Callable[[], subprocess.Popen[str]], databases: PoolDatabases
) -> None:
    processes = [client() for _ in range(3)]
    found = [told(process) for process in processes]
    assert len({pid for pid, _ in found}) == 1
    names = [name for _, names in found for name in names]
    assert len(set(names)) == 9
    for process in processes:
        process.kill()


def test_the_databases_of_a_killed_process_go_at_once_and_others_stay(
    server: PostgresServer, client: Callable[[], subprocess.Popen[str]], databases: PoolDatabases, ask: Ask
) -> None:
    mine = databases.acquire()
    victim = client()
    pid, names = told(victim)
    assert pid == link_of(databases).pid
    assert set(names) <= set(ask(server, CLONES))
    victim.kill()
    soon(lambda: not set(names) & set(ask(server, CLONES)), "the databases of the killed process go")
    assert mine.name in ask(server, CLONES)
    databases.release(mine)


def test_a_killed_broker_is_replaced_and_nothing_of_it_stays(databases: PoolDatabases) -> None:
    held = databases.acquire()
    pids = set()
    for _ in range(3):
        pid = link_of(databases).pid
        pids.add(pid)
        os.kill(pid, signal.SIGKILL)
        soon(partial(gone, pid), "it dies")
        use(databases, 2)
    assert len(pids) == 3
    with held.connect() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    databases.release(held)


def test_what_a_killed_broker_left_goes_though_its_clients_were_killed_too(
    server: PostgresServer, client: Callable[[], subprocess.Popen[str]], databases: PoolDatabases, ask: Ask
) -> None:
    victim = client()
    pid, names = told(victim)
    os.kill(pid, signal.SIGKILL)
    victim.kill()
    victim.wait()
    use(databases)
    link_of(databases)
    soon(lambda: not set(names) & set(ask(server, CLONES)), "the databases that are nobody's go")


def test_a_broker_that_hangs_is_not_waited_for_long(databases: PoolDatabases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("podjig.isolation.postgres.pool_client.PATIENCE", 0.2)
    use(databases)
    pid = link_of(databases).pid
    os.kill(pid, signal.SIGSTOP)
    try:
        use(databases, 6)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_brokers_that_end_again_and_again_are_said(
    databases: PoolDatabases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\nexit 1\n")
    failing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(failing))
    with pytest.warns(UserWarning, match="no broker process"):
        use(databases, 8)
    use(databases)


def test_it_ends_with_its_server() -> None:
    with PostgresContainer("postgres:17") as container:
        server = PostgresServer.of(container)
        databases = PoolDatabases(server, migration=NoMigration())
        use(databases, 3)
        pid = link_of(databases).pid
        container.kill()
        with pytest.raises(IsolationError, match="no connection to database|cannot be reached any more"):
            use(databases, 10)
        databases.close()
    soon(lambda: not lives(pid), "the broker ends")


def test_its_clients_end_quietly_where_the_server_is_gone_before_it_has_said_its_token() -> None:
    with PostgresContainer("postgres:17") as container:
        databases = PoolDatabases(PostgresServer.of(container), migration=NoMigration())
        use(databases, 3)
        pid, client = link_of(databases).pid, databases._client
        assert client is not None
        container.kill()
        client._admin.disconnect()
        client._admin._spoken_for.clear()  # as it is until the broker's first word, which may come at any time
        client._gave = False  # and as if the broker did not know yet that its server is gone
        databases.close()
    soon(lambda: not lives(pid), "the broker ends")


def test_a_kept_database_outlives_it(server: PostgresServer, databases: PoolDatabases, ask: Ask) -> None:
    database = databases.acquire("test_kept")
    pid = link_of(databases).pid
    databases.release(database, keep=True)
    databases.close()
    soon(lambda: not lives(pid), "the broker ends")
    assert ask(server, CLONES) == [database.name]
    with server.connect() as connection:
        drop(connection, database.name)
