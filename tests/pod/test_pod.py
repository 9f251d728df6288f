"""A pod from start to stop, in both places."""

from __future__ import annotations

import os
import socket
import threading
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest

from pod.conftest import MakePod, box, server
from podjig import GenericContainer, LogMessageWaitStrategy, PortWaitStrategy, PostgresContainer, RedisContainer
from podjig.engine.protocol import Engine
from podjig.errors import (
    AlreadyStartedError,
    CapabilityMissing,
    ContainerStartError,
    DefinitionError,
    NotStartedError,
    PortError,
    WaitTimeout,
)
from podjig.wait.function import FunctionWaitStrategy

pytestmark = pytest.mark.also_rootful


def fetch(container: GenericContainer, port: int) -> str:
    url = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(port)}/"
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode().strip()
    return text


def test_services_answer_the_host_and_each_other(make_pod: MakePod) -> None:
    postgres, redis = PostgresContainer("postgres:16"), RedisContainer("redis:7.4")
    app = server(8000, "app", "web.example")
    with make_pod(postgres, redis).add(app, depends_on=[postgres, "redis"]) as pod:
        with psycopg.connect(postgres.get_connection_url(driver=None)) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        with redis.get_client() as client:
            assert client.ping()
        assert fetch(app, 8000) == "hello"
        for host in ("localhost", "redis"):
            assert pod.run("redis:7.4", f"redis-cli -h {host} ping").stdout == b"PONG\n"
        for host in ("localhost", "app", "web.example"):
            assert app.exec(["wget", "-qO-", f"http://{host}:8000"]).stdout == b"hello\n"
        assert app.exec(["nc", "-w", "2", "postgres", "5432"]).exit_code == 0
        assert pod.member("web.example") is app
        assert pod.member("redis") is redis
    assert not any(member.started for member in (postgres, redis, app))


def test_a_member_does_not_answer_for_another(make_pod: MakePod) -> None:
    one, other = server(8000), server(8001)
    with make_pod(one, other):
        with pytest.raises(PortError, match=r"port 8001/tcp .* is not published \(published: 8000/tcp\)") as caught:
            one.get_exposed_port(8001)
        assert "another member's" in caught.value.hint
        assert other.get_exposed_port(8001)


class Configured(GenericContainer):
    """Completes its definition only when it is used."""

    def _configure(self) -> None:
        self.with_exposed_ports(8000).with_network_aliases("configured").with_command("httpd -f -p 8000")


class ConfiguredJob(GenericContainer):
    """The same for a job."""

    def _configure(self) -> None:
        self.with_env("SET", "late").with_exposed_ports(*([8001] if "PORT" in self._env else []))


def test_what_a_subclass_configures_counts(make_pod: MakePod) -> None:
    web = Configured("busybox")
    pod = make_pod(web)
    manifest = pod.to_kube_yaml()
    assert "containerPort: 8000" in manifest
    assert "name: configured" in manifest
    with pod:
        assert web.get_exposed_port(8000)
        assert pod.run("busybox", "nc -w 2 configured 8000").exit_code == 0
        assert b"SET=late" in pod.run(ConfiguredJob("busybox"), "env").stdout
        for come in (pod.add, pod.run):
            with pytest.raises(PortError, match="8001/tcp"):
                come(ConfiguredJob("busybox").with_env("PORT", "1"))


def test_a_name_that_is_no_host_name_is_no_obstacle(make_pod: MakePod, unique: str) -> None:
    member = box("sleep 600", "db").with_name(unique.replace("-", "_"))
    with make_pod(member, box()) as pod:
        assert pod.run("busybox", "nslookup db").exit_code is not None
        assert hosts(member)["db"] == "127.0.0.1"
        assert pod.member("db") is member


def test_a_stopped_pod_starts_again(make_pod: MakePod) -> None:
    web = server(8000)
    pod = make_pod(web)
    for _ in range(2):
        with pod:
            assert fetch(web, 8000) == "hello"
    pod.stop()


def test_published_ports_listen_on_loopback_only_also_udp(make_pod: MakePod) -> None:
    echo = '$s = IO::Socket::INET->new(LocalPort => 9999, Proto => "udp"); while ($s->recv($m, 99)) { $s->send($m) }'
    udp = GenericContainer("redis:7.4", command=["perl", "-MIO::Socket::INET", "-e", echo])
    udp.with_exposed_ports("9999/udp")
    tcp = server(9999)  # the same number, another protocol
    with make_pod(udp, tcp), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        assert tcp._place is not None
        published = tcp._place.published()
        assert published.keys() == {"9999/udp", "9999/tcp"}
        assert {port.host_ip for ports in published.values() for port in ports} == {"127.0.0.1"}
        assert fetch(tcp, 9999) == "hello"
        client.settimeout(0.2)
        client.connect(("127.0.0.1", udp.get_exposed_port("9999/udp")))

        def echoed(_: object) -> bool:
            client.send(b"a datagram")
            return client.recv(99) == b"a datagram"

        FunctionWaitStrategy(echoed).with_startup_timeout(10).wait_until_ready(udp)


def test_a_chosen_host_port_is_kept(make_pod: MakePod) -> None:
    port = free_port()
    web = box("exec httpd -f -p 80").with_bind_ports(80, port)
    with make_pod(web):
        assert web.get_exposed_port(80) == port


def test_two_servers_of_a_kind_by_with_port(make_pod: MakePod) -> None:
    first, second = RedisContainer("redis:7.4"), RedisContainer("redis:7.4").with_port(6380)
    with make_pod(first, second) as pod:
        for redis in (first, second):
            with redis.get_client() as client:
                client.set("port", redis.port)
        assert pod.run("redis:7.4", "redis-cli -p 6380 get port").stdout == b"6380\n"


def test_another_port_for_postgres(make_pod: MakePod) -> None:
    with make_pod(PostgresContainer("postgres:16").with_port(5433)) as pod:
        job = GenericContainer("postgres:16").with_env("PGPASSWORD", "test")
        result = pod.run(job, "psql -h localhost -p 5433 -U test -Atc 'select 6 * 7'")
        assert (result.exit_code, result.stdout) == (0, b"42\n")


def test_namespaces_are_shared_as_asked(make_pod: MakePod, place: str) -> None:
    first, second = box("sleep 601"), box("sleep 602")
    with make_pod(first, second, hostname="jig", share=("net", "uts", "pid")):
        assert first.exec("hostname").stdout == b"jig\n"
        processes = first.exec("ps").stdout
        assert b"sleep 601" in processes
        assert b"sleep 602" in processes
    with make_pod(box("sleep 600").with_hostname("own"), share=("net",)) as pod:
        if place == "native":
            assert pod.members[0].exec("hostname").stdout == b"own\n"


def test_name_and_labels(make_pod: MakePod, where: Engine, unique: str) -> None:
    with make_pod(box(), name=unique, labels={"podjig-test": unique}) as pod:
        if where.capabilities.pods:
            info = where.inspect_pod(pod.id)
            assert (info.name, info.labels["podjig-test"]) == (unique, unique)
        else:
            container = where.inspect_container(pod.id)
            assert container.raw["Config"]["Timeout"] > 0, "the engine would never end the container that stands in"
            assert (container.name, container.labels["podjig-test"]) == (unique, unique)


def test_limits_are_in_force_or_a_warning_says_that_they_are_not(make_pod: MakePod, place: str, where: Engine) -> None:
    pod = make_pod(box(), memory="100m", cpus=1)
    if place == "holder":
        with pytest.raises(CapabilityMissing, match="limits"):
            pod.start()
    elif where.capabilities.limits:
        with pod:
            assert memory_limit(pod.members[0]) == 100 << 20
    else:
        with pytest.warns(UserWarning, match="the limits of pod .* are not in force"):
            pod.start()


def memory_limit(container: GenericContainer) -> int:
    """The least of the limits on the way from a container's control group up."""
    group = Path(f"/proc/{container.inspect().state.pid}/cgroup").read_text().splitlines()
    by_controller = {line.split(":", 2)[1]: line.split(":", 2)[2] for line in group}
    legacy = "memory" in by_controller
    root = Path("/sys/fs/cgroup/memory" if legacy else "/sys/fs/cgroup")
    path = root / by_controller["memory" if legacy else ""].lstrip("/")
    files = [up / ("memory.limit_in_bytes" if legacy else "memory.max") for up in (path, *path.parents)]
    return min(int(text) for file in files if file.is_file() and (text := file.read_text().strip()) != "max")


def test_user_namespaces(make_pod: MakePod, place: str, where: Engine) -> None:
    pod = make_pod(box(), userns="keep-id" if where.info.rootless else "host")
    if place == "holder":
        with pytest.raises(CapabilityMissing, match="userns"):
            pod.start()
        return
    with pod:
        assert int(pod.members[0].exec("id -u").stdout) == os.getuid()


@pytest.mark.parametrize("mode", [None, "none", "host"])
def test_names_and_extra_hosts_are_shared_in_every_network_mode(make_pod: MakePod, mode: str | None) -> None:
    first, second = box("sleep 600", "one").with_extra_host("elsewhere", "192.0.2.7"), box("sleep 600", "two")
    late = box("sleep 600", "late").with_extra_host("beyond", "192.0.2.8")
    with make_pod(first, second, network_mode=mode) as pod:
        pod.add(late)
        if mode is not None:  # then each has a file of its own, written anew
            second.restart(timeout=0)
        wanted = {"one": "127.0.0.1", "two": "127.0.0.1", "late": "127.0.0.1"}
        wanted |= {"elsewhere": "192.0.2.7", "beyond": "192.0.2.8"}
        for member in pod.members:
            assert {name: found for name, found in hosts(member).items() if name in wanted} == wanted
        job = box("cat /etc/hosts").with_extra_host("for-the-job", "192.0.2.9")
        assert b"192.0.2.9\tfor-the-job" in pod.run(job).stdout
        for name, address in (("elsewhere", "192.0.2.10"), ("beyond", "192.0.2.11")):
            with pytest.raises(DefinitionError, match=address):
                pod.add(box().with_extra_host(name, address))
            with pytest.raises(DefinitionError, match=address):
                pod.run(box("true").with_extra_host(name, address))


def test_a_pod_in_the_machines_own_network(make_pod: MakePod) -> None:
    redis, postgres = (
        RedisContainer("redis:7.4").with_port(free_port()),
        PostgresContainer("postgres:16").with_port(free_port()),
    )
    with make_pod(redis, postgres, network_mode="host") as pod:
        assert redis.get_exposed_port(redis.port) == redis.port
        with redis.get_client() as client:
            assert client.ping()
        with psycopg.connect(postgres.get_connection_url(driver=None)) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        assert pod.run("redis:7.4", f"redis-cli -h redis -p {redis.port} ping").stdout == b"PONG\n"


def test_a_pod_without_a_network(make_pod: MakePod) -> None:
    web = box("mkdir /w; echo hello > /w/index.html; exec httpd -f -p 8000 -h /w", "web")
    web.waiting_for(PortWaitStrategy(8000))
    with make_pod(web, network_mode="none") as pod:
        assert pod.run("busybox", "wget -qO- http://web:8000").stdout == b"hello\n"
        assert b"eth0" not in web.exec("ip link").stdout


def hosts(container: GenericContainer) -> dict[str, str]:
    lines = [line.split() for line in container.exec("cat /etc/hosts").stdout.decode().splitlines()]
    return {name: words[0] for words in reversed(lines) for name in words[1:]}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def test_init_containers_run_first_in_order(make_pod: MakePod, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)

    def step(line: str) -> GenericContainer:
        return box(line).with_volume_mapping(tmp_path, "/out", "rw")

    main = step("echo main >> /out/order; sleep 600")
    pod = make_pod(main)
    pod.add_init(step("sleep 0.3; echo one >> /out/order")).add_init(step("echo two >> /out/order"))
    main.waiting_for(lambda _: "main" in (tmp_path / "order").read_text())
    with pod:
        assert (tmp_path / "order").read_text().split() == ["one", "two", "main"]
        assert pod.members == (main,)
        with pytest.raises(AlreadyStartedError, match="init containers have run"):
            pod.add_init(box())


def test_a_failing_init_container_keeps_the_others_from_starting(make_pod: MakePod) -> None:
    main = box()
    pod = make_pod(main).add_init(box("echo migration broke; exit 3"))
    with pytest.raises(Exception, match="an init container failed, so no member was started") as caught:
        pod.start()
    assert "migration broke" in str(caught.value)
    assert "exited with code 3" in str(caught.value)
    assert not main.started


def test_jobs_give_exit_code_and_output(make_pod: MakePod, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mounted\n")
    with make_pod(server(8000)) as pod:
        line = "wget -qO- http://localhost:8000; echo $WORD >&2; exit 5"
        result = pod.run("busybox", ["sh", "-c", line], env={"WORD": "err"})
        assert (result.exit_code, result.stdout, result.stderr) == (5, b"hello\n", b"err\n")
        job = GenericContainer("busybox").with_volume_mapping(tmp_path, "/in")
        assert pod.run(job, "cat /in/data").stdout == b"mounted\n"
        assert not job.started
        with pytest.raises(ContainerStartError, match="no-such-program"):
            pod.run("busybox", "no-such-program")
        with pytest.raises(WaitTimeout, match=r"job of busybox did not end within 0.5 s.*\n.*timeout=") as caught:
            pod.run("busybox", ["sh", "-c", "echo busy; sleep 600"], timeout=0.5)
        assert "busy" in caught.value.logs
        with pytest.raises(PortError, match="8001/tcp"):
            pod.run(GenericContainer("busybox").with_exposed_ports(8001), "true")
        for job in (box().with_network("other"), box().with_network_mode("none"), box().with_hostname("own")):
            with pytest.raises(DefinitionError, match="members share the pod's"):
                pod.run(job)
    with pytest.raises(NotStartedError):
        pod.run("busybox", "true")


def test_a_late_member_joins_without_ports(make_pod: MakePod) -> None:
    web = server(8000, "web")
    with make_pod(web) as pod:
        late = box("mkdir /w; echo late > /w/index.html; exec httpd -f -p 8001 -h /w", "late").waiting_for(
            lambda _: web.exec(["wget", "-qO-", "http://localhost:8001"]).exit_code == 0
        )
        pod.add(late, depends_on=["web"])
        assert late.status == "running"
        assert web.exec(["wget", "-qO-", "http://late:8001"]).stdout == b"late\n"
        assert late.exec(["wget", "-qO-", "http://web:8000"]).stdout == b"hello\n"
        with pytest.raises(PortError, match=r"port 8002/tcp of .* cannot be published"):
            pod.add(server(8002))
        with pytest.raises(DefinitionError, match="claim the name 'web'"):
            pod.add(box("sleep 600", "web"))
        with pytest.raises(DefinitionError, match="is in the pod twice"):
            pod.add(late)
        assert len(pod.members) == 2
    assert not late.started


def test_a_pod_removed_while_a_member_restarts(make_pod: MakePod, where: Engine) -> None:
    def restart(member: str) -> None:
        address = f"containers/{member}/restart?t=0"
        where._transport.call("POST", address, what="restart", deadline=60, accept=(404, 409, 500))  # type: ignore[attr-defined]

    for _ in range(3):
        member, other = box("trap '' TERM; while :; do sleep 0.05; done"), box()
        pod = make_pod(member, other).start()
        restarting = threading.Thread(target=restart, args=(member.id,))
        restarting.start()
        time.sleep(0.02)
        pod.stop()
        restarting.join()


def test_misuse(make_pod: MakePod) -> None:
    with pytest.raises(DefinitionError, match="no members"):
        make_pod().start()
    with box() as running, pytest.raises(AlreadyStartedError, match="is started already"):
        make_pod(running).start()
    shared = box()
    with make_pod(shared) as pod:
        with pytest.raises(AlreadyStartedError, match="in another pod"):
            make_pod(box(), shared).start()
        with pytest.raises(AlreadyStartedError, match="is started"):
            pod.start()
        with pytest.raises(DefinitionError, match="called 'nobody'") as caught:
            pod.member("nobody")
        assert "busybox" in caught.value.hint


def test_waiting_for_a_log_line(make_pod: MakePod) -> None:
    member = box("sleep 0.2; echo up; sleep 600").waiting_for(LogMessageWaitStrategy("up"))
    with make_pod(member):
        assert "up" in member.logs()
