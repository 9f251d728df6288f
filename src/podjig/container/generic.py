"""A container: defined by the builder, started, used, removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from podjig.container.commands import CommandMethods
from podjig.container.output import OutputMethods
from podjig.container.reusing import ReuseMethods
from podjig.engine.discovery import current_engine
from podjig.engine.protocol import Engine
from podjig.engine.values import ContainerInfo


class GenericContainer(ReuseMethods, OutputMethods, CommandMethods):
    """Any image as a running container.

    Constructing does no I/O; :meth:`start`, or entering a ``with`` block, creates and starts the container and
    returns when it is ready; :meth:`stop`, or leaving the block, removes it with its anonymous volumes::

        with GenericContainer("nginx:1.27").with_exposed_ports(80) as web:
            url = f"http://{web.get_container_host_ip()}:{web.get_exposed_port(80)}"

    Args:
        image: The image's name.
        command: Arguments for the entrypoint; see :meth:`with_command`.
        env: Environment variables.
        name: The container's name.
        ports: Container ports to publish on free ports of 127.0.0.1.
        volumes: ``(host, container, mode)`` tuples; see :meth:`with_volume_mapping`.
        network: See :meth:`with_network`.
        network_aliases: See :meth:`with_network_aliases`.
        engine: The engine to run it on; the discovered one where ``None``.
        kwargs: See :meth:`with_kwargs`.

    Raises:
        DefinitionError: A value is wrong.
    """

    def __init__(
        self,
        image: str,
        *,
        command: str | Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        name: str | None = None,
        ports: Sequence[int | str] = (),
        volumes: Sequence[tuple[str, str, str]] = (),
        network: Any = None,
        network_aliases: Sequence[str] = (),
        engine: Engine | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(image, engine)
        if command is not None:
            self.with_command(command)
        for key, value in (env or {}).items():
            self.with_env(key, value)
        if name is not None:
            self.with_name(name)
        self.with_exposed_ports(*ports)
        for volume in volumes:
            self.with_volume_mapping(*volume)
        if network is not None:
            self.with_network(network)
        self.with_network_aliases(*network_aliases)
        self.with_kwargs(**kwargs)

    # Names that migrating users know

    def get_container_id(self) -> str:
        """Return its full id."""
        return self.id

    def get_container_info(self) -> ContainerInfo:
        """Return what the engine knows of it; see :meth:`inspect`."""
        return self.inspect()

    def reload(self) -> None:
        """Ask the engine anew, for what :meth:`get_exposed_port` remembers."""
        self.inspect()

    def get_wrapped_container(self) -> Any:
        """Return the engine client's own object for it, for what podjig has no method for."""
        self._spoil("get_wrapped_container()")
        return self.get_docker_client().containers.get(self.id)

    def get_docker_client(self) -> Any:
        """Return the engine's own client (a ``podman.PodmanClient`` on Podman)."""
        engine = self._engine or self._chosen_engine or current_engine()
        return engine.native_client()
