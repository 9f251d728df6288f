"""One thing that is wrong on this host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["broken", "limited", "note"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is wrong, what follows from it, and what repairs it.

    Attributes:
        problem: What is wrong.
        effect: What does not work because of it.
        repair: The command or setting that repairs it; what to do instead where nothing does.
        severity: ``"broken"``: containers do not run; ``"limited"``: something does not work; ``"note"``: good to know.
    """

    problem: str
    effect: str
    repair: str
    severity: Severity = "limited"
