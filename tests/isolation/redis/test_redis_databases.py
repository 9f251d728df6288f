"""What each way to a clean Redis guarantees."""

# ruff: noqa: SIM117  outside, what is tested with; inside, what is tested

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from podjig import RedisContainer
from podjig.errors import ContainerError, DefinitionError, IsolationError
from podjig.isolation.redis.claim import KEPT, Claim
from podjig.isolation.redis.databases import RedisDatabases
from podjig.isolation.redis.server import Line, RedisServer

pytestmark = pytest.mark.xdist_group("redis-isolation")


@pytest.fixture
def databases(container: RedisContainer) -> Iterator[RedisDatabases]:
    with RedisDatabases(container) as databases:
        yield databases
        assert databases.leftovers() == []


class TestByIndex:
    def test_a_database_is_empty_after_whatever_a_test_wrote(self, databases: RedisDatabases) -> None:
        for size in (0, 1, 2000, 0):
            with databases.database() as database:
                assert database.client.dbsize() == 0
                assert database.index == 7
                database.client.mset({f"key {number}": number for number in range(size)} or {"one": 1})

    def test_a_worker_has_an_index_by_its_number(self, container: RedisContainer) -> None:
        with RedisDatabases(container, worker="gw2", workers=3) as databases, databases.database() as database:
            assert database.index == 5
            assert database.url.endswith("/5")

    def test_what_the_containers_own_url_leads_to_is_not_touched(self, container: RedisContainer) -> None:
        parts = [RedisContainer("redis:8").attach(container.id).partition(f"gw{number}") for number in range(2)]
        clients = [part.get_client() for part in parts]
        for number, client in enumerate(clients):
            client.set("seed", number)
        ids = [client.client_id() for client in clients]
        with RedisDatabases(parts[0], worker="gw0", workers=2) as one, RedisDatabases(parts[0], worker="gw0") as other:
            for _ in range(2):
                with one.database(), other.database(), one.database() as database:
                    assert database.client.dbsize() == 0
                    database.client.set("key", "value")
            left = [*one.leftovers(), *other.leftovers()]
        assert [*left, *one.leftovers(), *other.leftovers()] == []
        for number, client in enumerate(clients):
            assert client.get("seed") == str(number).encode()
            assert client.client_id() == ids[number], "its connection was ended"
            client.flushdb()
            client.close()

    def test_a_part_is_refused_that_a_test_has(self, container: RedisContainer) -> None:
        with RedisDatabases(container) as databases, databases.database() as database:
            with pytest.raises(ContainerError, match="too few for worker 'gw7' beside those that tests have"):
                RedisContainer("redis:8").attach(container.id).partition(f"gw{database.index}")

    def test_two_of_them_never_have_the_same(self, container: RedisContainer) -> None:
        with RedisDatabases(container, worker="gw1") as one, RedisDatabases(container, worker="gw1") as other:
            with one.database() as mine, other.database() as theirs, one.database() as second:
                assert len({mine.index, theirs.index, second.index}) == 3
                mine.client.set("key", "mine")
                assert theirs.client.get("key") is None

    def test_a_replaced_worker_takes_over_a_free_index(self, container: RedisContainer) -> None:
        with RedisDatabases(container, worker="gw7", workers=2) as databases, databases.database() as database:
            assert database.index == 6

    def test_who_looked_before_another_claimed_does_not_claim_the_same(
        self, container: RedisContainer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = RedisServer.of(container)
        younger: list[Claim] = []

        def ask(line: Line, *commands: Any) -> list[Any]:
            answers = original(line, *commands)
            if commands == (("CLIENT", "LIST"),) and not younger:
                monkeypatch.undo()
                younger.append(Claim(server, number=0, workers=1))
            return answers

        original = Line.ask
        monkeypatch.setattr(Line, "ask", ask)
        elder = Claim(server, number=0, workers=1)
        assert (younger[0].index, elder.index) == (7, 6)
        for claim in (elder, *younger):
            claim.close()

    def test_many_who_claim_at_once_have_one_each(self, container: RedisContainer) -> None:
        server = RedisServer.of(container)
        with ThreadPoolExecutor(7) as threads:
            for _ in range(20):
                barrier = threading.Barrier(7)

                def claim(_: int, barrier: threading.Barrier = barrier) -> Claim:
                    barrier.wait(10)
                    return Claim(server, number=0, workers=1)

                claims = list(threads.map(claim, range(7)))
                assert sorted(each.index for each in claims) == [1, 2, 3, 4, 5, 6, 7]
                for each in claims:
                    each.close()

    def test_more_workers_than_databases_are_refused_with_the_numbers(self, container: RedisContainer) -> None:
        with RedisDatabases(container, workers=6) as databases:
            with pytest.raises(IsolationError, match=r"has 8 .* which 6 .* and 6 processes.*\n.*databases=64.*prefix"):
                databases.acquire()

    def test_no_database_left_is_said_with_why(self, container: RedisContainer) -> None:
        with RedisDatabases(container) as databases:
            for _ in range(7):
                databases.acquire()
            with pytest.raises(IsolationError, match="no database left of its 8: 1 is in use, 2 is in use"):
                databases.acquire()

    def test_all_ways_to_connect_lead_to_the_same(self, guarded_container: RedisContainer) -> None:
        with RedisDatabases(guarded_container, worker="gw5") as databases, databases.database() as database:
            database.client.set("key", "value")
            with database.connect(decode_responses=True) as other:
                assert other.get("key") == "value"
            with redis.Redis.from_url(database.url) as other:
                assert other.get("key") == b"value"
            assert (database.host, database.port, database.password) == (
                guarded_container.get_container_host_ip(),
                guarded_container.get_exposed_port(6379),
                "p@ss:wörd",
            )

    @pytest.mark.anyio
    @pytest.mark.parametrize("anyio_backend", ["asyncio"])
    async def test_asynchronous_clients_lead_there_too(self, databases: RedisDatabases) -> None:
        with databases.database() as database:
            async with database.aconnect(decode_responses=True) as client:
                await client.set("key", "value")
                assert await client.get("key") == "value"

    def test_connections_left_open_are_ended_and_told_of(self, container: RedisContainer) -> None:
        with RedisDatabases(container) as databases:
            with databases.database("test_of_mine") as database:
                idle = database.connect(client_name="lazy")
                idle.ping()
                listener: Any = database.connect().pubsub()  # type: ignore[no-untyped-call]
                listener.subscribe("news")
                waiting = database.connect(retry=Retry(NoBackoff(), 0))  # or it would connect again
                thread = threading.Thread(target=wait_for_ever, args=(waiting,))
                thread.start()
                while b"blpop" not in str(database.client.client_list()).encode():
                    pass
            thread.join(10)
            assert not thread.is_alive()
            told = databases.leftovers()
            assert ["blocked in BLPOP" in each.what for each in told] == [True]
            began = time.monotonic()
            tests = 0
            while len(told) < 3 and time.monotonic() < began + 10:
                tests += 1
                with databases.database("another_test"):
                    pass
                told += databases.leftovers()
            assert tests > 10, "tests waited for the connections"
            assert {each.requester for each in told} == {"test_of_mine"}
            words = " ".join(each.what for each in told)
            assert len(told) == 3, words
            assert "'lazy', idle after PING" in words
            assert "subscribed" in words
        assert databases.leftovers() == []
        for client in (idle, waiting):
            client.close()
        listener.close()

    def test_what_the_last_test_left_open_is_told_of_at_the_end(self, container: RedisContainer) -> None:
        with RedisDatabases(container) as databases, databases.database("test_of_mine") as database:
            idle = database.connect()
            idle.ping()
        (left,) = databases.leftovers()
        assert left.requester == "test_of_mine"
        idle.close()

    def test_connections_that_were_closed_are_nothing_to_tell(self, databases: RedisDatabases) -> None:
        for _ in range(20):
            with databases.database() as database, database.connect() as client:
                client.set("key", "value")

    def test_its_client_is_as_new_whatever_was_done_with_it(self, container: RedisContainer) -> None:
        with RedisDatabases(container) as databases:
            with databases.database() as database:
                client: Any = database.client
                listener = client.pubsub()
                listener.subscribe("news")
                client.execute_command("SELECT", 3)
            databases.leftovers()
            with databases.database() as database:
                database.client.set("key", "value")
                with database.connect() as other:
                    assert other.get("key") == b"value"

    def test_what_is_kept_is_not_given_out_again(self, container: RedisContainer) -> None:
        with RedisDatabases(container) as databases:
            kept = databases.acquire()
            kept.client.set("key", "value")
            databases.release(kept, keep=True)
            with databases.database() as database:
                assert database.index != kept.index
            with redis.Redis.from_url(kept.url) as client:
                assert client.get("key") == b"value"
                client.flushdb()

    def test_what_is_kept_outlives_whoever_kept_it_until_it_is_flushed(self, container: RedisContainer) -> None:
        with RedisDatabases(container) as databases:
            kept = databases.acquire("test_that_failed")
            kept.client.set("key", "value")
            databases.release(kept, keep=True)
        with RedisDatabases(container) as databases, databases.database() as database:
            assert database.index != kept.index
        with redis.Redis.from_url(kept.url) as client:
            assert client.mget("key", KEPT) == [b"value", b"test_that_failed"]
            client.flushdb()
        with RedisDatabases(container) as databases, databases.database() as database:
            assert database.index == kept.index

    def test_somebody_elses_keys_are_never_flushed(self, container: RedisContainer) -> None:
        url = container.get_connection_url()
        with container.get_client() as client:
            client.set("precious", "value")
            with RedisDatabases(url) as databases, databases.database() as database:
                assert database.index == 1
            assert client.get("precious") == b"value"
            client.flushdb()

    def test_a_server_that_was_flushed_of_its_clients_is_used_on(self, container: RedisContainer) -> None:
        with RedisDatabases(container) as databases:
            with databases.database() as database:
                database.client.client_kill_filter(_type="normal", skipme=True)
            with databases.database() as database:
                assert database.client.dbsize() == 0

    def test_what_was_given_back_gives_nothing_out(self, databases: RedisDatabases) -> None:
        with databases.database() as database:
            pass
        with pytest.raises(IsolationError, match="given back"):
            database.client.ping()

    def test_a_forked_child_has_a_database_of_its_own(self, databases: RedisDatabases) -> None:
        with databases.database() as database:
            database.client.set("key", "mine")
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    with databases.database() as own:
                        code = 0 if own.index != database.index and own.client.dbsize() == 0 else 2
                    databases.close()
                finally:
                    os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
            assert database.client.get("key") == b"mine"


class TestByPrefix:
    def test_keys_below_the_prefix_are_gone_and_others_stay(self, container: RedisContainer) -> None:
        prefixes = set()
        with container.get_client() as client, RedisDatabases(container, mode="prefix", worker="gw1") as databases:
            client.set("other", "value")
            for _ in range(2):
                with databases.database() as database:
                    prefixes.add(database.prefix)
                    database.client.mset({database.key(str(number)): number for number in range(3000)})
                assert client.keys() == [b"other"]
            client.flushdb()
        assert len(prefixes) == 2
        assert all("gw1" in prefix for prefix in prefixes)

    def test_what_is_kept_stays(self, container: RedisContainer) -> None:
        with container.get_client() as client, RedisDatabases(container, mode="prefix") as databases:
            kept = databases.acquire()
            kept.client.set(kept.key("a"), "value")
            databases.release(kept, keep=True)
            databases.acquire().client.set("gone", "not below the prefix")
            databases.close()
            assert set(client.keys()) == {kept.key("a").encode(), b"gone"}
            client.flushdb()


class TestByServer:
    def test_each_test_has_a_whole_one(self, guarded_container: RedisContainer) -> None:
        with RedisDatabases(guarded_container, mode="server") as databases:
            with databases.database() as database:
                assert database.client.config_get("databases") == {"databases": "64"}
                database.client.config_set("maxmemory", 123456789)
                assert database.port != guarded_container.get_exposed_port(6379)
            with guarded_container.get_client() as client:
                assert client.config_get("maxmemory") == {"maxmemory": "0"}

    def test_it_needs_a_container(self) -> None:
        with pytest.raises(DefinitionError, match=r"no container of podjig's\n.*mode='index'"):
            RedisDatabases("redis://localhost:1", mode="server")


@pytest.mark.parametrize(
    ("server", "options", "message"),
    [
        ("redis://localhost", {"mode": "truncate"}, r"unknown mode 'truncate'.*\n.*index, prefix, server"),
        ("redis://localhost", {"workers": 0}, "workers is 0"),
        ("postgresql://localhost", {}, "is no Redis server"),
        ("rediss://:secret@localhost", {}, r"'rediss://:\*\*\*@localhost' is no Redis server"),
        ("redis://me:secret@localhost:abc", {}, r"'redis://me:\*\*\*@localhost:abc' of a Redis server cannot be read"),
        (None, {}, "is no Redis server"),
    ],
)
def test_a_wrong_value_is_refused_at_once(server: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        RedisDatabases(server, **options)  # type: ignore[arg-type]


def test_a_server_that_does_not_answer_is_said_to_be_silent() -> None:
    with (
        RedisDatabases("redis://localhost:1") as databases,
        pytest.raises(IsolationError, match="Redis at localhost:1"),
    ):
        databases.acquire()


def wait_for_ever(client: redis.Redis) -> None:
    with pytest.raises(redis.ConnectionError):
        client.blpop(["nothing"])
