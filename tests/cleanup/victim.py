"""A small session with some of everything, for others to kill.

Run with the way it is to end by itself, if any, or with what it is to make and remove all the time: pods or networks.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

from pod.conftest import engine_without_pods
from podjig import DockerImage, GenericContainer, Network, Pod
from podjig.cleanup.session import Session, session_of
from podjig.engine.discovery import current_engine
from podjig.errors import PodjigError
from podjig.image.store import resolve


def main(ending: str) -> None:
    engine = current_engine()
    session = session_of(engine)
    assert session is not None
    print(session.id, flush=True)
    image = resolve("busybox")
    if ending in _FOR_EVER:
        _FOR_EVER[ending](image)
    address = engine.info.address
    prefix = f"victim-{session.id}"
    _build_aside(image)
    first = GenericContainer(image, command="sleep 600").with_volume_mapping(f"{prefix}-data", "/data", "rw")
    first.start()
    _post(address, "networks/create", {"name": f"{prefix}-net", "labels": session.labels("network")})
    _pod(address, session, prefix, image)
    second = GenericContainer(image, command="sleep 600").with_name(f"{prefix}-second").start()
    threading.Thread(target=_quietly(lambda: second.exec("sleep 30")), daemon=True).start()
    print("complete", flush=True)
    if ending == "exit":
        os._exit(3)
    if ending == "raise":
        raise RuntimeError("as told")
    while True:
        with GenericContainer(image, command="sleep 600"):
            time.sleep(0.05)


def _build_aside(image: str) -> None:
    context = Path(tempfile.mkdtemp())
    steps = "".join(f"RUN echo {step} >/{step}; sleep 0.3\n" for step in range(6))
    (context / "Containerfile").write_text(f"FROM {image}\n{steps}")
    build = _quietly(lambda: DockerImage(context, no_cache=True).build())
    threading.Thread(target=build, daemon=True).start()


def _pod(address: str, session: Session, prefix: str, image: str) -> None:
    _post(address, "pods/create", {"name": f"{prefix}-pod", "labels": session.labels("pod")})
    member = {
        "image": image,
        "pod": f"{prefix}-pod",
        "name": f"{prefix}-member",
        "command": ["sleep", "600"],
        "volumes": [{"Name": "", "Dest": "/anonymous"}],
        "labels": session.labels("container"),
    }
    _post(address, "containers/create", member)
    _post(address, f"pods/{prefix}-pod/start", None)


def _pods(image: str) -> NoReturn:
    """Pods that are half started most of the time: native, held by a container, and in a network."""
    engines = [current_engine(), engine_without_pods()]
    random.shuffle(engines)
    for engine in itertools.cycle(engines):
        with Network(engine=engine) as network:
            for networks in ([], [network]):
                members = [_sleeper(image).waiting_for(_soon) for _ in range(3)]
                with Pod(*members, networks=networks, engine=engine) as pod:
                    pod.run(image, "true")
    raise AssertionError


def _networks(image: str) -> NoReturn:
    """Networks with members that come and go."""
    while True:
        with Network() as network, Network() as other, _sleeper(image).with_network(network) as member:
            other.connect(member, ["late"])
            with _sleeper(image).with_network(network).with_network(other), network.disconnect(member):
                time.sleep(0.05)


_FOR_EVER = {"pods": _pods, "networks": _networks}


def _sleeper(image: str) -> GenericContainer:
    return GenericContainer(image, command="sleep 600")


def _soon(container: GenericContainer) -> bool:
    return time.time() - (container.inspect().state.started_at or time.time()) > 0.3


def _quietly(work: Any) -> Any:
    def run() -> None:
        try:
            work()
        except PodjigError as error:
            print(error, file=sys.stderr)

    return run


def _post(address: str, path: str, body: object) -> None:
    connection = http.client.HTTPConnection("localhost", timeout=60)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(address.removeprefix("unix://"))
    headers = {"Content-Type": "application/json"}
    connection.request("POST", f"/v4.0.0/libpod/{path}", json.dumps(body).encode(), headers)
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    if response.status >= 400:
        raise RuntimeError(f"{path}: {answer!r}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
