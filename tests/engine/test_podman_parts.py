"""The parts of the Podman engine that need no engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from podjig.engine.podman.create import create_request
from podjig.engine.podman.frames import FrameDecoder
from podjig.engine.podman.ignore import IgnoreFile
from podjig.engine.podman.images import _on_loopback, _pull_fault, _split_tag
from podjig.engine.podman.start_faults import hint, start_fault
from podjig.engine.signals import signal_number
from podjig.engine.timestamp import timestamp
from podjig.engine.values import OutputChunk
from podjig.errors import DefinitionError, EngineRequestError, PortInUse
from podjig.spec import ContainerSpec, Limits, Mount, NetworkAttachment, Port, Ulimit


def frame(number: int, data: bytes) -> bytes:
    return bytes([number, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def test_frames_are_put_together_wherever_pieces_end() -> None:
    whole = frame(1, b"out") + frame(2, b"") + frame(2, b"error") + frame(1, b"\1\0\0\0\0\0\0\1x")
    expected = [
        OutputChunk(stream="stdout", data=b"out"),
        OutputChunk(stream="stderr", data=b""),
        OutputChunk(stream="stderr", data=b"error"),
        OutputChunk(stream="stdout", data=b"\1\0\0\0\0\0\0\1x"),
    ]
    for size in range(1, len(whole) + 1):
        decoder = FrameDecoder()
        pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
        assert [chunk for piece in pieces for chunk in decoder.feed(piece)] + decoder.end() == expected


def test_output_without_frames_is_standard_output() -> None:
    decoder = FrameDecoder()
    chunks = [*decoder.feed(b"hello "), *decoder.feed(b"world, this is a terminal"), *decoder.end()]
    assert b"".join(chunk.data for chunk in chunks) == b"hello world, this is a terminal"
    assert {chunk.stream for chunk in chunks} == {"stdout"}


def test_a_frame_that_was_cut_off_is_kept() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(frame(2, b"whole") + frame(2, b"cut off")[:-4]) == [OutputChunk(stream="stderr", data=b"whole")]
    assert decoder.end() == [OutputChunk(stream="stderr", data=b"cut")]


def test_a_published_port_always_names_its_address() -> None:
    request = create_request(ContainerSpec(image="i", ports=(Port(container=80), Port(container=81, host=90))))
    assert request["portmappings"] == [
        {"container_port": 80, "protocol": "tcp", "host_ip": "127.0.0.1", "host_port": 0},
        {"container_port": 81, "protocol": "tcp", "host_ip": "127.0.0.1", "host_port": 90},
    ]


def test_engine_options_win() -> None:
    request = create_request(ContainerSpec(image="i", engine_options={"image": "j", "terminal": True}))
    assert request["image"] == "j"
    assert request["terminal"] is True


def test_mounts_of_each_kind() -> None:
    request = create_request(
        ContainerSpec(
            image="i",
            mounts=(
                Mount(kind="bind", source="/a", target="/b", read_only=True, options=("Z",)),
                Mount(kind="bind", source="/a", target="/c", options=("O",)),
                Mount(kind="volume", source="v", target="/d", options=("nocopy",)),
                Mount(kind="tmpfs", target="/e", size=1024),
            ),
        )
    )
    assert request["mounts"] == [
        {"destination": "/b", "type": "bind", "source": "/a", "options": ["rbind", "ro", "Z"]},
        {"destination": "/e", "type": "tmpfs", "source": "tmpfs", "options": ["rw", "size=1024"]},
    ]
    assert request["overlay_volumes"] == [{"destination": "/c", "source": "/a", "options": []}]
    assert request["volumes"] == [{"Name": "v", "Dest": "/d", "Options": ["rw", "nocopy"]}]


def test_ulimits_bring_the_host_s_along() -> None:
    spec = ContainerSpec(image="i", limits=Limits(ulimits=(Ulimit(name="nofile", soft=-1, hard=-1),)))
    host = (Ulimit(name="nofile", soft=5, hard=5), Ulimit(name="nproc", soft=7, hard=7))
    assert create_request(spec, host_ulimits=host)["r_limits"] == [
        {"type": "nofile", "soft": 2**64 - 1, "hard": 2**64 - 1},
        {"type": "nproc", "soft": 7, "hard": 7},
    ]
    assert "r_limits" not in create_request(ContainerSpec(image="i"), host_ulimits=host)


@pytest.mark.parametrize(
    ("mode", "fields"),
    [
        ("none", {"netns": {"nsmode": "none", "value": ""}}),
        ("container:abc", {"netns": {"nsmode": "container", "value": "abc"}}),
        ("ns:/proc/1/ns/net", {"netns": {"nsmode": "path", "value": "/proc/1/ns/net"}}),
        (
            "slirp4netns:allow_host_loopback=true",
            {"netns": {"nsmode": "slirp4netns"}, "network_options": {"slirp4netns": ["allow_host_loopback=true"]}},
        ),
    ],
)
def test_network_modes(mode: str, fields: dict[str, object]) -> None:
    request = create_request(ContainerSpec(image="i", network_mode=mode))
    assert {name: request[name] for name in fields} == fields


def test_networks_with_aliases() -> None:
    spec = ContainerSpec(
        image="i", networks=(NetworkAttachment(name="n", aliases=("db",)), NetworkAttachment(name="m"))
    )
    request = create_request(spec)
    assert request["Networks"] == {"n": {"aliases": ["db"]}, "m": {"aliases": []}}
    assert request["netns"] == {"nsmode": "bridge"}


def test_nothing_is_said_of_what_was_not_asked_for() -> None:
    assert not {"netns", "timeout", "healthconfig", "command", "entrypoint", "stop_signal"} & set(
        create_request(ContainerSpec(image="i"))
    )


@pytest.mark.parametrize(("name", "number"), [("SIGINT", 2), ("term", 15), ("9", 9), ("SIGRTMIN+3", 37), ("USR1", 10)])
def test_signals(name: str, number: int) -> None:
    assert signal_number(name) == number


@pytest.mark.parametrize("name", ["SIGNOPE", "", "0", "65", "SIGRTMIN+x"])
def test_unknown_signals(name: str) -> None:
    with pytest.raises(DefinitionError, match="is not a signal"):
        signal_number(name)


@pytest.mark.parametrize("platform", ["linux", "linux/", "a/b/c/d", ""])
def test_unknown_platforms(platform: str) -> None:
    with pytest.raises(DefinitionError, match="is not a platform"):
        create_request(ContainerSpec(image="i", platform=platform))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-23T12:48:12.250000000Z", 1795438092.25),
        ("2026-11-23T13:48:12+01:00", 1795438092.0),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
    ],
)
def test_timestamps(text: str | None, seconds: float | None) -> None:
    assert timestamp(text) == seconds


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("rootlessport listen tcp 127.0.0.1:41133: bind: address already in use", "41133"),
        ("cannot listen on the TCP port: listen tcp4 127.0.0.1:52569: bind: address already in use", "52569"),
        ("cannot listen on the UDP port: listen udp6 [::1]:53: bind: address already in use", "53"),
    ],
)
def test_a_busy_port_is_named(text: str, port: str) -> None:
    error = start_fault(EngineRequestError(f"Podman cannot start container 'x': {text}"))
    assert isinstance(error, PortInUse)
    assert error.message.startswith(f"host port {port} is in use")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ('slirp4netns failed: "open(\\"/dev/net/tun\\"): Permission denied"', "chmod 666 /dev/net/tun"),
        ("pasta failed with exit code 1: Failed to open() /dev/net/tun", "chmod 666 /dev/net/tun"),
        ("could not find slirp4netns, the network namespace can't be configured", "install slirp4netns"),
        ("could not find pasta, the network namespace can't be configured", "passt"),
        ("crun: cgroups in hybrid mode not supported, drop all controllers from cgroupv2", "runc"),
        ('default OCI runtime "runc" not found: invalid argument', "not installed"),
        ("cannot setuid to unmapped uid 1000 in user namespace", "add-subuids"),
        ("error setting rlimit type 7: operation not permitted", "ulimit"),
        ('error mounting "proc" to rootfs at "/proc"', "masks /proc"),
        ("allocating lock for new container: allocation failed; exceeded num_locks (2048)", "locks"),
        ("no matching entries in passwd file", "no such user"),
        ("exec format error", "processor"),
        ("something that nobody has seen yet", ""),
    ],
)
def test_start_failures_have_hints(text: str, advice: str) -> None:
    assert advice in hint(text)
    assert bool(hint(text)) is bool(advice)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("localhost/a:1", ("localhost/a", "1")),
        ("localhost:5000/a", ("localhost:5000/a", "latest")),
        ("localhost:5000/a/b:x", ("localhost:5000/a/b", "x")),
    ],
)
def test_tags_are_told_from_ports(name: str, parts: tuple[str, str]) -> None:
    assert _split_tag(name) == parts


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("localhost:5000/a", True),
        ("127.0.0.1:5000/a", True),
        ("[::1]:5000/a", True),
        ("docker.io/library/a", False),
        ("localhost.example.com/a", False),
    ],
)
def test_registries_on_loopback(name: str, local: bool) -> None:
    assert _on_loopback(name) is local


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("dial tcp: lookup registry.example: no such host", "PODJIG_IMAGE_MAP"),
        ("unauthorized: authentication required", "podman login"),
        ("manifest unknown: manifest unknown", "check name and tag"),
        ("http: server gave HTTP response to HTTPS client", "registries.conf"),
    ],
)
def test_failed_pulls_say_what_to_do(reason: str, advice: str) -> None:
    assert advice in _pull_fault("registry.example/a:1", reason).hint


@pytest.mark.parametrize(
    ("rules", "path", "excluded"),
    [
        ("*.log", "a.log", True),
        ("*.log", "sub/a.log", False),
        ("**/*.log", "sub/deep/a.log", True),
        ("**/*.log", "a.log", True),
        ("sub", "sub/deep/a", True),
        ("/sub/", "sub/a", True),
        ("sub", "subway", False),
        ("sub/**", "sub/a/b", True),
        ("a?c", "abc", True),
        ("a?c", "a/c", False),
        ("[ab].txt", "b.txt", True),
        ("*\n!keep", "keep", False),
        ("*\n!keep", "other", True),
        ("sub\n!sub/keep", "sub/keep", False),
        ("!keep\nkeep", "keep", True),
        ("# comment\n\n", "# comment", False),
        ("a.b", "axb", False),
        ("*", "Containerfile", False),
        ("*", ".dockerignore", False),
    ],
)
def test_ignore_files(tmp_path: Path, rules: str, path: str, excluded: bool) -> None:
    (tmp_path / ".dockerignore").write_text(rules)
    assert IgnoreFile.of(tmp_path, "Containerfile").excludes(path) is excluded


def test_containerignore_wins_over_dockerignore(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("a")
    (tmp_path / ".containerignore").write_text("b")
    ignore = IgnoreFile.of(tmp_path, "Containerfile")
    assert (ignore.excludes("a"), ignore.excludes("b")) == (False, True)
