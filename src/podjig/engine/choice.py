"""One setting of the private service: what it is, and whose decision it was."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

Origin = Literal["yours", "chosen", "default"]


class Choice(NamedTuple):
    """One setting.

    Attributes:
        name: A dotted name of containers.conf (``"engine.runtime"``), or an environment variable in capitals.
        value: Its value; ``None`` for a variable that is unset.
        why: The reason, in a few words.
        origin: ``"yours"``: set by the user's or the system's own files or environment, and left alone;
            ``"chosen"``: set by podjig for this host, for the private service alone; ``"default"``: Podman's own.
    """

    name: str
    value: Any
    why: str
    origin: Origin = "chosen"

    @property
    def is_variable(self) -> bool:
        """Whether it reaches the service as an environment variable, not through containers.conf."""
        return self.name.isupper()
