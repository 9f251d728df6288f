"""A tiny image whose one program does nothing for ever, made here: no registry is asked for it."""

from __future__ import annotations

import io
import platform
import struct
import tarfile

from podjig.cleanup.session import Session
from podjig.engine.protocol import Engine
from podjig.errors import CapabilityMissing

_BASE = 0x400000
_HEADERS = 64 + 56  # an ELF header and one program header

# ELF machine number, and a loop around a system call that waits for a signal.
_MACHINES = {
    "x86_64": (62, bytes.fromhex("b822000000 0f05 ebf7")),  # mov eax, pause; syscall; jmp back
    "aarch64": (  # ppoll of nothing, without end: five arguments of zero, the number, the call, back
        183,
        struct.pack(
            "<8I", 0xD2800000, 0xD2800001, 0xD2800002, 0xD2800003, 0xD2800004, 0xD2800928, 0xD4000001, 0x17FFFFF9
        ),
    ),
}


def pause_image(engine: Engine, session: Session | None) -> str:
    """Return the name of the image, made at the first call of a session, and removed with it.

    Raises:
        CapabilityMissing: podjig has no such program for this processor.
    """
    name = f"localhost/podjig/pause:{session.id if session is not None else 'shared'}"
    if engine.inspect_image(name) is not None:
        return name
    archive = io.BytesIO()
    program = _program(platform.machine(), pods=engine.capabilities.pods)
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("pause")
        member.size, member.mode = len(program), 0o755
        tar.addfile(member, io.BytesIO(program))
    archive.seek(0)
    labels = session.labels("image", name=name) if session is not None else {}
    changes = ['ENTRYPOINT ["/pause"]', *(f'LABEL {key}="{value}"' for key, value in labels.items())]
    engine.import_image(archive, name, changes=changes)
    if session is not None:
        session.opened("image", name)
    return name


def _program(machine: str, *, pods: bool) -> bytes:
    """Return a whole ELF executable. Source: the ELF-64 object file format."""
    if machine not in _MACHINES:
        raise CapabilityMissing(
            f"this engine {'lacks catatonit, with which pods begin' if pods else 'has no pods'}, and podjig has no "
            f"stand-in on a {machine} processor",
            hint="install catatonit on the engine's host" if pods else "use Podman, which has pods",
        )
    number, code = _MACHINES[machine]
    size = _HEADERS + len(code)
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64 bits, little-endian, version 1
    header = identity + struct.pack("<HHIQQQIHHHHHH", 2, number, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)  # loadable, readable, executable
    return header + segment + code
