"""The network to create."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from podjig.errors import DefinitionError

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """What an engine needs to create one network.

    Attributes:
        name: Its name.
        driver: ``"bridge"``, or another that the engine has.
        internal: It has no way out, only its members reach each other.
        subnets: Its address ranges, like ``"10.77.0.0/24"``; the engine chooses free ones where empty.
        ipv6: It has IPv6 addresses as well.
        dns: Its members find each other by name.
        options: The driver's options.
        labels: Labels.

    Raises:
        DefinitionError: The name or a subnet is malformed.
    """

    name: str
    driver: str = "bridge"
    internal: bool = False
    subnets: tuple[str, ...] = ()
    ipv6: bool = False
    dns: bool = True
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise DefinitionError(
                f"network name {self.name!r} is malformed", hint="begin with a letter or digit; then also '_', '.', '-'"
            )
        for subnet in self.subnets:
            try:
                ipaddress.ip_network(subnet)
            except ValueError as error:
                raise DefinitionError(
                    f"subnet {subnet!r} of network {self.name} is malformed: {error}",
                    hint="write the first address and the length of the prefix, like '10.77.0.0/24'",
                ) from None
