"""What the projects of several test files begin with: containers that say what they are told."""

from __future__ import annotations

CONFTEST = """
import os, time
import pytest
from podjig import GenericContainer, container_fixture

def box(image="busybox"):
    command = ["sh", "-c", "trap 'exit 3' TERM; sleep 600 & wait"]
    return GenericContainer(image, command=command).with_labels({"podjig-test": os.environ["MARK"]})

def say(container, words):
    container.exec(["sh", "-c", f"echo {words} > /proc/1/fd/1"])
    until = time.monotonic() + 10
    while words not in container.logs() and time.monotonic() < until:
        time.sleep(0.01)

def die(container):
    container.exec("kill -TERM 1")
    assert container.wait(10) == 3

shared = container_fixture(box())

@pytest.fixture
def mine():
    with box() as running:
        yield running
"""


def sections(text: str) -> dict[str, list[str]]:
    """Return the sections about containers in pytest's output: the fixture's name -> its lines."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("---") and "podjig: " in line:
            name = line.strip("- ").removeprefix("podjig: ").partition(",")[0]
            current = found.setdefault(name, [])
        elif line.startswith(("---", "___", "===", "podjig: ")):
            current = None
        elif current is not None:
            current.append(line)
    return found
