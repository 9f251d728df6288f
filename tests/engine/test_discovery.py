from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from fake_engine import DOCKER, PODMAN, answering
from fresh_home import FreshHome, kill_group
from podjig import config as configuration
from podjig.config import Config
from podjig.engine import discovery
from podjig.engine.address import normalized, pingable, places
from podjig.engine.discovery import connect, current_engine, describe, probe, use_engine
from podjig.engine.protocol import Engine
from podjig.errors import ConfigError, EngineNotFound, EngineUnavailable, ServiceStartError

NOTHING: Any = {"PATH": "/nonexistent"}

Serve = Callable[[str, bytes], str]


def engine(value: str) -> Config:
    return Config({}).override("a test", engine=value)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[FreshHome]:
    """A fresh user on a machine whose own engines, should it have any, are out of sight."""
    with FreshHome() as home:
        monkeypatch.setattr("podjig.engine.address.RUN", str(home.root / "run"))
        yield home


@pytest.fixture
def serve(home: FreshHome) -> Iterator[Serve]:
    """Answer on a unix socket below the fresh user's root as another engine would."""
    with ExitStack() as stack:

        def start(path: str, answer: bytes) -> str:
            place = home.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            return stack.enter_context(answering(answer, path=place))

        yield start


class TestPlaces:
    def test_order(self) -> None:
        environ = {"XDG_RUNTIME_DIR": "/x", "HOME": "/h"}
        labels = [place.label for place in places("auto", environ)]

        assert labels[:2] == ["CONTAINER_HOST", "/x/podman/podman.sock"]
        assert labels.index("/x/podman/podman.sock") < labels.index("private service")
        assert labels.index("private service") < labels.index("DOCKER_HOST") < labels.index("/x/docker.sock")
        assert labels[-1].endswith("/docker.sock")

    def test_one_kind_only(self) -> None:
        assert [place.label for place in places("private", {})] == ["private service"]
        assert not any("docker" in place.label for place in places("podman", {}))
        assert not any("podman" in place.label for place in places("docker", {}))

    @pytest.mark.parametrize(
        ("address", "url"),
        [
            ("/run/x.sock", "unix:///run/x.sock"),
            ("unix:///x", "unix:///x"),
            ("tcp://h:1", "tcp://h:1"),
            ("ssh://u@h/s", "ssh://u@h/s"),
        ],
    )
    def test_addresses(self, address: str, url: str) -> None:
        assert normalized(address, what="x") == url
        assert pingable(url) == (not url.startswith("ssh"))

    @pytest.mark.parametrize("value", ["podmann", "ftp://x", "unix://", "run/x.sock"])
    def test_neither_keyword_nor_address(self, value: str) -> None:
        with pytest.raises(ConfigError, match=r"setting engine \(a test\)") as caught:
            probe(engine(value), environ=NOTHING)
        assert value in caught.value.message
        assert "private" in caught.value.hint

    @pytest.mark.parametrize("name", ["CONTAINER_HOST", "DOCKER_HOST"])
    def test_wrong_variable_is_named(self, home: FreshHome, name: str) -> None:
        with pytest.raises(ConfigError, match=name):
            probe(Config({}), environ={**home.environ, name: "nonsense"})


class TestProbe:
    def test_every_place_leaves_a_reason(self, home: FreshHome) -> None:
        probes = probe(Config({}), environ=home.environ)
        reasons = {found.place.label: found.reason for found in probes}

        assert reasons["CONTAINER_HOST"] == "unset"
        assert reasons[f"{home.runtime}/podman/podman.sock"] == "absent"
        assert "started when needed" in reasons["private service"]
        assert all(reasons.values())
        assert not list(home.service_folders())  # nothing was started

    def test_users_socket_comes_before_the_private_service(self, home: FreshHome, serve: Serve) -> None:
        address = serve("r/podman/podman.sock", PODMAN)
        sketch = describe(Config({}), environ=home.environ)

        assert (sketch.address, sketch.version, sketch.running) == (address, "4.3.1", True)

    def test_container_host_comes_first(self, home: FreshHome, serve: Serve) -> None:
        serve("r/podman/podman.sock", PODMAN)
        address = serve("mine.sock", PODMAN)
        sketch = describe(Config({}), environ={**home.environ, "CONTAINER_HOST": address})

        assert (sketch.address, sketch.origin) == (address, "CONTAINER_HOST")

    def test_podman_behind_a_docker_socket(self, home: FreshHome, serve: Serve) -> None:
        address = serve("r/docker.sock", PODMAN)
        sketch = describe(engine("docker"), environ=home.environ)

        assert (sketch.name, sketch.address) == ("podman", address)

    def test_docker_is_recognised_and_passed_over(self, home: FreshHome, serve: Serve) -> None:
        serve("r/docker.sock", DOCKER)
        reasons = {found.place.label: found.reason for found in probe(engine("docker"), environ=home.environ)}

        assert reasons[f"{home.runtime}/docker.sock"] == "docker engine found; podjig does not speak to Docker yet"

    def test_private_service_is_sketched_without_starting_it(self, home: FreshHome) -> None:
        sketch = describe(engine("private"), environ=home.environ)

        assert sketch.origin == "private service"
        assert not sketch.running
        assert sketch.version
        assert not list(home.service_folders())


class TestConnect:
    def test_private_service(self, home: FreshHome) -> None:
        found = connect(Config({}), environ=home.environ)

        assert found.info.origin == "private service"
        assert found.info.local
        assert found.info.rootless == (os.getuid() != 0)
        assert describe(Config({}), environ=home.environ).running
        found.close()

    # podman-py leaves the socket of a refused connection to the garbage collector.
    @pytest.mark.filterwarnings("ignore:unclosed <podman.api.uds.UDSSocket:ResourceWarning")
    def test_revived_when_it_ended(self, home: FreshHome) -> None:
        found = connect(engine("private"), environ=home.environ)
        (folder,) = home.service_folders()
        kill_group(int((folder / "service.pid").read_text()))

        found.ping()
        assert found.list_containers(labels={"no.such.label": "x"}) == []
        found.close()
        gc.collect()

    def test_address(self, home: FreshHome) -> None:
        service = home.service()
        service.ensure()
        found = connect(engine(service.address), environ=NOTHING)

        assert found.info.address == service.address
        assert found.info.origin == "a test"
        found.close()

    def test_explicit_address_fails_at_once(self, home: FreshHome) -> None:
        with pytest.raises(EngineUnavailable, match=r"engine at unix:///no\.sock \(from a test\).*absent"):
            connect(engine("unix:///no.sock"), environ=home.environ)
        assert not list(home.service_folders())

    @pytest.mark.parametrize("look", [connect, describe])
    def test_container_host_fails_at_once(self, home: FreshHome, look: Callable[..., object]) -> None:
        environ = {**home.environ, "CONTAINER_HOST": "unix:///no.sock"}
        with pytest.raises(EngineUnavailable, match=r"CONTAINER_HOST=unix:///no\.sock.*absent") as caught:
            look(Config({}), environ=environ)
        assert "unset CONTAINER_HOST" in caught.value.hint
        assert not list(home.service_folders())

    def test_explicit_docker_is_refused_by_name(self, serve: Serve) -> None:
        with pytest.raises(EngineUnavailable, match="does not speak to Docker yet"):
            connect(engine(serve("d.sock", DOCKER)), environ=NOTHING)

    def test_none_found_lists_every_place(self, home: FreshHome, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("podjig.engine.binary._FOLDERS", ())
        with pytest.raises(EngineNotFound) as caught:
            connect(Config({}), environ={**home.environ, "PATH": "/nonexistent"})
        message = caught.value.message

        assert message.startswith("no container engine answered. Tried CONTAINER_HOST (unset), ")
        assert f"{home.runtime}/podman/podman.sock (absent)" in message
        assert "private service (podman is not on PATH)" in message
        assert "DOCKER_HOST (unset)" in message
        assert "podjig doctor" in caught.value.hint

    def test_private_service_that_fails_is_one_reason_among_others(self, home: FreshHome, serve: Serve) -> None:
        home.configure("containers.conf", '[engine]\nlock_type = "nonsense"\n')
        with pytest.raises(EngineNotFound, match="unknown lock type nonsense") as caught:
            connect(Config({}), environ=home.environ)
        assert "unknown lock type nonsense" in caught.value.logs

    def test_private_service_asked_for_by_name_raises_its_own_error(self, home: FreshHome) -> None:
        home.configure("containers.conf", '[engine]\nlock_type = "nonsense"\n')
        with pytest.raises(ServiceStartError):
            connect(engine("private"), environ=home.environ)


class TestCurrentEngine:
    @pytest.fixture(autouse=True)
    def _fresh(self, home: FreshHome, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        for name in ("CONTAINER_HOST", "DOCKER_HOST"):
            monkeypatch.delenv(name, raising=False)
        for name, value in home.environ.items():
            monkeypatch.setenv(name, value)
        before, settings = discovery._engine, configuration._current
        use_engine(None)
        configuration.use(engine("private"))
        yield
        use_engine(before)
        configuration.use(settings)

    def test_one_for_the_process(self) -> None:
        found: list[Engine] = []
        threads = [threading.Thread(target=lambda: found.append(current_engine())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(found) == 4
        assert all(each is current_engine() for each in found)
        current_engine().close()

    def test_a_forked_child_finds_its_own(self) -> None:
        parent = current_engine()
        with discovery._mutex:  # as if another thread were just looking
            child = os.fork()
            if child == 0:
                found = current_engine()
                found.ping()
                os._exit(0 if found is not parent else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert current_engine() is parent
        parent.ping()
        parent.close()


def test_looking_imports_nothing_heavy(home: FreshHome) -> None:
    code = """
import sys
from podjig.engine.discovery import describe
describe()
print([name for name in ("podman", "requests", "urllib3", "http.client", "subprocess") if name in sys.modules])
"""
    home.service().version  # noqa: B018  asked before: else podman --version must be run
    output, errors = home.python(code).communicate(timeout=30)
    assert output == "[]\n", errors
