"""Signals by name, as Linux numbers them."""

from __future__ import annotations

from podjig.errors import DefinitionError

_SIGNALS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10,
    "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20,
    "TTIN": 21, "TTOU": 22, "URG": 23, "XCPU": 24, "XFSZ": 25, "WINCH": 28, "IO": 29, "PWR": 30, "SYS": 31,
    "RTMIN": 34, "RTMAX": 64,
}  # fmt: skip
"""Linux' numbers, which hold inside the container whatever this machine's own are."""


def signal_number(signal: str) -> int:
    """Return the number of ``"SIGINT"``, ``"int"``, ``"2"`` or ``"SIGRTMIN+3"``: the create request takes no names.

    Raises:
        DefinitionError: There is no such signal.
    """
    if signal.isdigit() and 1 <= int(signal) <= 64:
        return int(signal)
    name, _, offset = signal.upper().removeprefix("SIG").partition("+")
    if name in _SIGNALS and (not offset or offset.isdigit()):
        return _SIGNALS[name] + int(offset or 0)
    raise DefinitionError(f"{signal!r} is not a signal", hint="use a name like 'SIGINT', or its number on Linux")
