"""A network's name server under load."""

from __future__ import annotations

import pytest

from network.conftest import TRIES, Start, box
from pod.conftest import engine_without_pods
from podjig import Network, Pod
from podjig.engine.protocol import Engine

pytestmark = pytest.mark.also_rootful

LOOK_UPS = 200

# nslookup asks the name server itself, past /etc/hosts. Prints, for each look-up: name, number of tries, addresses.
ASK = f"""
ask() {{
    for try in $(seq {TRIES}); do
        found=$(nslookup -type=a $1 2>&1) && break
    done
    echo $1 $try $(echo "$found" | sed -n '3,$s/^Address: //p')
}}
for number in $(seq {LOOK_UPS // 4}); do
    for name in "$@"; do ask $name & done
done
wait
"""


def test_the_name_server_answers_many_at_once(engine: Engine, network: Network, start: Start) -> None:
    client = start(box().with_network(network))
    server = start(box().with_network(network).with_network_aliases("alone"))
    in_pod, on_holder = box().with_network_aliases("in-pod", "in-pod.example"), box().with_network_aliases("on-holder")
    with (
        Pod(in_pod, networks=[network], engine=engine),
        Pod(on_holder, networks=[network], engine=engine_without_pods()),
    ):
        names = {"alone": server, "in-pod": in_pod, "in-pod.example": in_pod, "on-holder": on_holder}
        answers = client.exec(["sh", "-c", ASK, "ask", *names]).stdout.decode().splitlines()
        found = {name: {answer.partition(" ")[2] for answer in answers if answer.split()[0] == name} for name in names}
        addresses = {
            name: member.exec(["sh", "-c", "ip -o -4 addr show dev eth0 | awk '{print $4}'"]).stdout.decode()
            for name, member in names.items()
        }
    print(found)
    assert len(answers) == LOOK_UPS
    for name, tries_and_addresses in found.items():
        address = addresses[name].partition("/")[0]
        assert {one.split()[-1] for one in tries_and_addresses} == {address}, f"{name}: {tries_and_addresses}"
