"""What the builder says, seen from inside the container and by the engine."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from podjig import GenericContainer, LogMessageWaitStrategy
from podjig.engine.protocol import Engine
from podjig.errors import ContainerStartError, DefinitionError, NotStartedError


@pytest.fixture(scope="module")
def full() -> Iterator[GenericContainer]:
    """A container with all settings that do not disturb each other."""
    container = (
        GenericContainer("busybox", command="sleep 600")
        .with_envs(WORD="two words", NUMBER=5, EMPTY="", LETTER="ä")
        .with_user("65534:33")
        .with_working_dir("/tmp")
        .with_hostname("jig")
        .with_init()
        .with_ulimit("nofile", 256, 512)
        .with_ulimit("core", 0)
        .with_shm_size("3m")
        .with_tmpfs_mount("/small", "2m")
        .with_tmpfs_mount("/plain")
        .with_extra_host("database.test", "10.1.2.3")
        .with_labels({"org.example/owner": "me"}, kind="test")
    )
    with container as started:
        yield started


def inside(container: GenericContainer, script: str) -> str:
    return container.exec(["sh", "-c", script]).output.decode().strip()


def test_environment(full: GenericContainer) -> None:
    assert inside(full, 'echo "$WORD|$NUMBER|$EMPTY|$LETTER|${EMPTY-unset}"') == "two words|5||ä|"
    assert full.inspect().env["WORD"] == "two words"


def test_user_folder_and_host_name(full: GenericContainer) -> None:
    assert inside(full, "id -u; id -g; pwd; hostname") == "65534\n33\n/tmp\njig"


def test_an_init_is_the_first_process(full: GenericContainer) -> None:
    assert inside(full, "tr '\\0' ' ' < /proc/1/cmdline").split()[0].endswith("init")
    assert "sleep 600" in inside(full, "ps")


def test_ulimits(full: GenericContainer) -> None:
    limits = {line[:26].strip(): line[26:].split()[:2] for line in inside(full, "cat /proc/1/limits").splitlines()}
    assert limits["Max open files"] == ["256", "512"]
    assert limits["Max core file size"] == ["0", "0"]


def test_sizes_of_shm_and_tmpfs(full: GenericContainer) -> None:
    kilobytes = inside(full, "df -k /dev/shm /small | awk 'NR > 1 { print $2 }'").split()
    assert kilobytes == ["3072", "2048"]
    assert inside(full, "mount | grep -c ' /plain type tmpfs'") == "1"


def test_a_full_tmpfs_is_full(full: GenericContainer) -> None:
    assert "No space left" in inside(full, "dd if=/dev/zero of=/small/x bs=1M count=3 2>&1; rm -f /small/x")


def test_extra_hosts(full: GenericContainer) -> None:
    assert "10.1.2.3" in inside(full, "grep database.test /etc/hosts")


def test_labels(full: GenericContainer, engine: Engine) -> None:
    labels = full.inspect().labels
    assert (labels["org.example/owner"], labels["kind"]) == ("me", "test")
    assert full.id in {found.id for found in engine.list_containers(labels={"org.example/owner": "me"})}


def test_set_uid_programs_gain_nothing(full: GenericContainer) -> None:
    assert inside(full, "grep NoNewPrivs /proc/self/status").split()[1] == "1"


def test_unless_asked_for() -> None:
    with GenericContainer("busybox", command="sleep 600").with_privileges(new_privileges=True) as container:
        assert inside(container, "grep NoNewPrivs /proc/self/status").split()[1] == "0"


def test_capabilities() -> None:
    def effective(container: GenericContainer) -> int:
        return int(inside(container, "grep CapEff /proc/self/status").split()[1], 16)

    net_admin, chown = 1 << 12, 1 << 0  # capabilities(7)
    container = GenericContainer("busybox", command="sleep 600")
    with container.with_privileges(cap_add=["NET_ADMIN"], cap_drop=["chown"]) as changed:
        assert effective(changed) & net_admin
        assert not effective(changed) & chown
    with GenericContainer("busybox", command="sleep 600").with_privileges(cap_drop=["ALL"]) as bare:
        assert effective(bare) == 0


def test_entrypoint_and_command() -> None:
    container = GenericContainer("busybox").with_entrypoint(["echo", "entry"]).with_command("'a b' c")
    with container as job:
        assert job.wait(timeout=10) == 0
        assert job.logs() == "entry a b c\n"


def test_without_a_command_the_images_own_runs() -> None:
    with GenericContainer("redis:7.4").waiting_for(LogMessageWaitStrategy("Ready to accept connections")) as redis:
        assert redis.exec("redis-cli ping").stdout == b"PONG\n"


def test_a_read_only_root() -> None:
    with GenericContainer("busybox", command="sleep 600", read_only=True).with_tmpfs_mount("/w") as container:
        assert "Read-only file system" in inside(container, "touch /x")
        assert inside(container, "touch /w/x && echo done") == "done"


def test_bind_mounts_are_read_only_unless_told_otherwise(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    (tmp_path / "file").write_text("from here", encoding="utf-8")
    container = GenericContainer("busybox", command="sleep 600")
    with container.with_volume_mapping(tmp_path, "/ro").with_volume_mapping(str(tmp_path), "/rw", "rw") as started:
        assert inside(started, "cat /ro/file") == "from here"
        assert "Read-only file system" in inside(started, "echo x > /ro/new")
        assert inside(started, "echo from inside > /rw/new") == ""
    assert (tmp_path / "new").read_text(encoding="utf-8") == "from inside\n"


def test_an_overlay_mount_keeps_changes_to_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("original", encoding="utf-8")
    container = GenericContainer("busybox", command="sleep 600").with_volume_mapping(tmp_path, "/data", "O")
    with container as started:
        assert inside(started, "echo changed > /data/file; cat /data/file") == "changed"
    assert (tmp_path / "file").read_text(encoding="utf-8") == "original"


def test_a_named_volume_is_shared_and_survives(engine: Engine) -> None:
    name = f"podjig-test-{uuid.uuid4().hex[:12]}"
    engine.create_volume(name)
    try:
        writer = GenericContainer("busybox", command="sleep 600").with_volume_mapping(name, "/data", "rw")
        reader = GenericContainer("busybox", command="sleep 600").with_volume_mapping(name, "/data")
        with writer, reader:
            inside(writer, "echo shared > /data/file")
            assert inside(reader, "cat /data/file") == "shared"
            assert "Read-only file system" in inside(reader, "touch /data/x")
        assert name in engine.list_volumes()
    finally:
        engine.remove_volume(name)


def test_anonymous_volumes_go_with_their_container(engine: Engine) -> None:
    before = set(engine.list_volumes())
    with GenericContainer("redis:7.4") as redis:
        mounts = [mount for mount in redis.inspect().raw["Mounts"] if mount["Destination"] == "/data"]
        (volume,) = {mount["Name"] for mount in mounts}
        assert volume in engine.list_volumes()
        assert volume not in before
    assert volume not in engine.list_volumes()


def test_networks_of_the_engine_by_mode() -> None:
    with GenericContainer("busybox", command="sleep 600").with_network_mode("none") as container:
        interfaces = inside(container, "ls /sys/class/net").split()
    assert interfaces == ["lo"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda box: box.with_user("no-such-user"), "no-such-user"),
        (lambda box: box.with_command("/etc/passwd"), "/etc/passwd"),
        (lambda box: box.with_working_dir("relative"), "relative"),
    ],
    ids=["user", "program", "folder"],
)
def test_what_the_engine_refuses_is_named_and_leaves_nothing(labels: dict[str, str], change: object, says: str) -> None:
    box = GenericContainer("busybox", command="sleep 600").with_labels(labels)
    assert callable(change)
    with pytest.raises((ContainerStartError, DefinitionError), match=says):
        change(box).start()


@pytest.mark.parametrize("value", [0, -1, "two", True])
def test_bad_limits_are_refused_at_once(value: object) -> None:
    for limit in ("cpu", "pids"):
        with pytest.raises(DefinitionError):
            getattr(GenericContainer("busybox"), f"with_{limit}_limit")(value)
    with pytest.raises(DefinitionError):
        GenericContainer("busybox").with_ulimit("nofile", "many")  # type: ignore[arg-type]


def test_a_clone_of_a_started_one_is_not_started(full: GenericContainer) -> None:
    twin = full.clone()
    assert twin.status == "not_started"
    with pytest.raises(NotStartedError):
        _ = twin.id
    assert twin.spec() == full.spec()


def test_names_that_migrating_users_know() -> None:
    with GenericContainer("busybox", command="httpd -f -p 80").with_exposed_ports(80) as web:
        assert web.get_container_id() == web.id
        assert web.get_container_info().id == web.id
        assert web.get_container_host_ip() == "localhost"
        assert web.get_wrapped_container().id == web.id
        web.reload()
        assert web.get_exposed_port("80") == web.get_exposed_port(80)
        assert repr(web) == f"<GenericContainer busybox started {web.id[:12]}>"
    assert repr(web) == "<GenericContainer busybox not started>"
