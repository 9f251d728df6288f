"""What the groups of the builder's methods have in common: the values they set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from podjig.cleanup.reuse import Claim
from podjig.cleanup.session import Keep
from podjig.container.addresses import Render
from podjig.container.files import Source
from podjig.errors import MountError
from podjig.image.reference import normalise
from podjig.spec import Limits, Mount, Port
from podjig.wait.strategy import WaitStrategy

if TYPE_CHECKING:
    from typing_extensions import Self


class Fields:
    """The values of a definition.

    Attributes:
        image: The image's name as it was given.
    """

    def __init__(self, image: str) -> None:
        normalise(image)  # a malformed name is an error here and now
        self.image = image
        self._name: str | None = None
        self._command: tuple[str, ...] | None = None
        self._env: dict[str, str] = {}
        self._ports: dict[str, Port] = {}
        self._service_ports: tuple[Port, ...] = ()
        self._mounts: list[Mount] = []
        self._networks: list[str] = []
        self._network_aliases: list[str] = []
        self._host_ports: dict[int, int] = {}  # port inside -> port of this machine
        self._fields: dict[str, Any] = {}  # further fields of ContainerSpec, by their name there
        self._engine_options: dict[str, Any] = {}
        self._copies: list[tuple[Source, str, int | None]] = []
        self._address_files: list[tuple[Render, str, int | None]] = []
        self._pull_policy: str | None = None
        self._strategy: WaitStrategy | None = None
        self._startup_timeout: float | None = None
        self._keep: Keep | None = None
        self._reuse: float | None = None
        self._claim_by: Callable[[str], Claim | None] | None = None  # who holds the claims of this run

    def _set(self, **fields: Any) -> Self:
        self._fields.update(fields)
        return self

    def _limit(self, **fields: Any) -> Self:
        return self._set(limits=replace(self._fields.get("limits", Limits()), **fields))

    def _mount(self, mount: Mount) -> Self:
        if any(mount.target == earlier.target for earlier in self._mounts):
            raise MountError(f"two mounts on {mount.target!r} of {self.image}", hint="a path takes one mount")
        self._mounts.append(mount)
        return self
