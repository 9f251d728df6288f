"""What a pod needs of the engine, and what is seen of it there."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from pod.conftest import MakePod, box, server
from podjig import Pod
from podjig.cleanup.session import session_of
from podjig.engine.discovery import current_engine
from podjig.engine.podman import PodmanEngine
from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing


def test_an_engine_without_a_pause_program_gets_ours(make_pod: MakePod, engine: Engine) -> None:
    poor = PodmanEngine(engine.info.address, origin="a test")
    poor._capabilities = replace(engine.capabilities, infra=False)
    web = server(8000, "web")
    session = session_of(poor)
    assert session is not None
    with make_pod(web, box(), engine=poor) as pod:
        raw = poor._transport.call("GET", f"pods/{pod.id}/json", what="inspect", deadline=30).json()
        infra = engine.inspect_container(raw["InfraContainerID"])
        assert infra.image.startswith("localhost/podjig/pause:")
        assert infra.state.running
        assert pod.run("busybox", "wget -qO- http://web:8000").stdout == b"hello\n"


def test_the_engine_here_has_what_pods_need() -> None:
    assert current_engine().capabilities.pods
    assert current_engine().capabilities.infra


@pytest.mark.parametrize(("pods", "hint"), [(True, "install catatonit"), (False, "use Podman")])
def test_a_processor_that_podjig_has_no_pause_program_for(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, pods: bool, hint: str
) -> None:
    poor = PodmanEngine(engine.info.address, origin="a test")
    poor._capabilities = replace(engine.capabilities, infra=False, pods=pods)
    monkeypatch.setattr("platform.machine", lambda: "s390x")
    monkeypatch.setattr(poor, "inspect_image", lambda _: None)  # made for another test
    with pytest.raises(CapabilityMissing, match=f"on a s390x processor\n.*{hint}"):
        Pod(box(), engine=poor).start()


def test_ps_shows_a_pod_as_a_tree(make_pod: MakePod, where: Engine, unique: str) -> None:
    with make_pod(box().with_name(f"{unique}-a"), box().with_name(f"{unique}-b"), name=unique):
        ps = [sys.executable, "-m", "podjig.cli", "ps"]
        done = subprocess.run(ps, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "120"})
    lines = [line for line in done.stdout.splitlines() if unique[:20] in line]
    assert [line.split()[1] for line in lines] == (["pod"] if where.capabilities.pods else ["container"]) + [
        "container",
        "container",
    ]
    assert [line.startswith("  ") for line in lines] == [False, True, True]
