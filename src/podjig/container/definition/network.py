"""The builder: ports and networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from podjig.container.definition.fields import Fields
from podjig.container.relay import HOST_INSIDE, HOST_NAMES, another_port
from podjig.errors import DefinitionError, PortError
from podjig.spec import LOOPBACK, Port
from podjig.spec.hostname import check_hostname

if TYPE_CHECKING:
    from typing_extensions import Self


class NetworkMethods(Fields):
    """How the container is reached, and whom it reaches."""

    def with_exposed_ports(self, *ports: int | str) -> Self:
        """Publish these container ports (``5432``, ``"5353/udp"``) on free ports of 127.0.0.1.

        Raises:
            PortError: A port is malformed, out of range or given twice.
        """
        for value in ports:
            port = Port.parse(value)
            if port.key in self._ports:
                raise PortError(f"port {port} of {self.image} is given twice", hint="name each port once")
            self._ports[port.key] = port
        return self

    def with_bind_ports(self, container: int | str, host: int | str | None = None) -> Self:
        """Publish a container port on a chosen port of 127.0.0.1; on a free one where ``host`` is ``None``.

        A free port (:meth:`with_exposed_ports`) never clashes with another test run.

        Raises:
            PortError: A port is malformed, out of range, or bound already.
        """
        host_port = None if host is None else Port.parse(host).container
        port = Port.parse(container, host=host_port)
        earlier = self._ports.get(port.key)
        if earlier is not None and earlier.host is not None:
            raise PortError(
                f"port {port} of {self.image} is bound twice: to {earlier.host} and to {port.host or 'a free port'}",
                hint="bind it once",
            )
        for other in self._ports.values():
            if host_port is not None and (other.host, other.protocol) == (host_port, port.protocol):
                raise PortError(
                    f"host port {host_port} is given twice: for {other} and for {port} of {self.image}",
                    hint="choose another, or leave it out for a free one",
                )
        self._ports[port.key] = port
        return self

    def with_network(self, network: Any) -> Self:
        """Join a network: a :class:`Network`, or the name of one that exists. May be called for several."""
        name = network if isinstance(network, str) else getattr(network, "name", None)
        if not isinstance(name, str) or not name:
            raise DefinitionError(f"{network!r} is neither a network nor the name of one")
        self._networks.append(name)
        return self

    def with_network_aliases(self, *aliases: str) -> Self:
        """Be found under these names by the other members of its networks or pod.

        Raises:
            DefinitionError: An alias is not a host name.
        """
        self._network_aliases.extend(check_hostname(alias) for alias in aliases)
        return self

    def expose_host_port(self, port: int, *, inside: int | None = None) -> Self:
        """Let it reach a server that runs on this machine, at ``host.containers.internal`` and the same port.

        The server may listen on 127.0.0.1 alone. Only this container reaches it, and those who share its network: the
        other members of its pod. For TCP, in every network mode. It is there from the first moment of its program on,
        after a restart() a moment later.

        Args:
            port: The server's port on this machine.
            inside: The port inside, where it is to be another: what runs in the container listens on that one itself.

        Raises:
            PortError: A port is malformed, or given twice.
        """
        here = Port.parse(port).container
        there = here if inside is None else Port.parse(inside).container
        if there in self._host_ports:
            raise PortError(f"port {there} inside {self.image} is given to two servers", hint="give inside=...")
        self._host_ports[there] = here
        return self

    def with_network_mode(self, mode: str) -> Self:
        """Use the engine's network mode ``"none"``, ``"host"``, ``"bridge"``, ... instead of its default."""
        return self._set(network_mode=mode)

    def with_extra_host(self, name: str, address: str) -> Self:
        """Add a line to ``/etc/hosts``; the address ``host-gateway`` means the engine's host."""
        return self._set(extra_hosts={**self._fields.get("extra_hosts", {}), name: address})

    def _host_names(self, mode: str | None) -> dict[str, str]:
        """Return the names of this machine, as they lead to it from inside."""
        kind = (mode or "").partition(":")[0]
        if kind in ("container", "ns"):
            raise DefinitionError(
                f"{self.image} shares a network by {mode!r}, and cannot have ports of this machine of its own",
                hint="call expose_host_port() of the container whose network it is",
            )
        listening = {port.container for port in self._ports.values() if port.protocol == "tcp"}
        for inside, port in self._host_ports.items():
            if kind == "host" and inside != port:
                raise PortError(
                    f"{self.image} shares this machine's network, where the server on port {port} is not on {inside}",
                    hint="leave out inside=",
                )
            if kind != "host" and inside in listening:
                raise PortError(
                    f"port {inside} inside {self.image} is to be its own and, by expose_host_port(), this machine's",
                    hint=f"give the other side another: expose_host_port({port}, inside={another_port(inside)})",
                )
        return dict.fromkeys(HOST_NAMES, LOOPBACK if kind == "host" else HOST_INSIDE)
