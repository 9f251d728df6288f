"""The fluent builder: everything that may be said of a container before it starts."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from podjig import config
from podjig.cleanup.session import Keep
from podjig.container.definition.files import FileMethods
from podjig.container.definition.limits import LimitMethods
from podjig.container.definition.network import NetworkMethods
from podjig.container.definition.program import ProgramMethods
from podjig.container.engine_keywords import apply_keywords
from podjig.errors import DefinitionError
from podjig.image.store import resolve
from podjig.spec import ContainerSpec, Healthcheck, NetworkAttachment, Port, seconds
from podjig.wait.composite import CompositeWaitStrategy
from podjig.wait.function import as_strategy
from podjig.wait.port import PortWaitStrategy
from podjig.wait.strategy import Condition, WaitStrategy

if TYPE_CHECKING:
    from typing_extensions import Self

KEEP = 24 * 3600.0
"""Seconds a container is kept on purpose unless told otherwise."""


class ContainerDefinition(ProgramMethods, LimitMethods, NetworkMethods, FileMethods):
    """What a container shall be. Every method returns self, checks its values at once and does no I/O."""

    # Readiness

    def with_healthcheck(
        self,
        command: str | Sequence[str],
        *,
        timeout: float | timedelta = 30.0,
        interval: float | timedelta = 30.0,
        retries: int = 3,
        start_period: float | timedelta = 0.0,
    ) -> Self:
        """Set the healthcheck; a string is run by the container's shell. See :class:`HealthcheckWaitStrategy`."""
        check = Healthcheck(
            command=command if isinstance(command, str) else tuple(command),
            timeout=seconds(timeout),
            interval=seconds(interval, what="interval"),
            retries=retries,
            start_period=seconds(start_period, what="start period"),
        )
        return self._set(healthcheck=check)

    def waiting_for(self, *conditions: Condition) -> Self:
        """Say when it is ready: a wait strategy or a function of the container; several mean all of them."""
        strategies = [as_strategy(condition) for condition in conditions]
        if not strategies:
            raise DefinitionError("waiting_for() needs a wait strategy or a function")
        self._strategy = strategies[0] if len(strategies) == 1 else CompositeWaitStrategy(*strategies)
        return self

    def with_startup_timeout(self, timeout: float | timedelta) -> Self:
        """Give it this many seconds to become ready, whatever it waits for."""
        self._startup_timeout = seconds(timeout, what="startup timeout")
        return self

    def with_keep(self, duration: float | timedelta = KEEP, why: str = "kept by its definition") -> Self:
        """Keep it for ``duration`` seconds when its ``with`` block or session ends; see ``GenericContainer.keep``."""
        self._keep = Keep(duration=seconds(duration, what="duration"), why=why)
        return self

    def with_reuse(self, duration: float | timedelta | None = None) -> Self:
        """Leave it running at the end, and let the next run with the same definition take it up, made as new.

        It is kept for ``duration`` seconds (the setting ``reuse_for``) since it was last started or taken up. One that
        cannot be reused is started and removed as ever; so is a second one beside the first. ``podjig ps`` lists what
        is kept.

        For services whose state podjig can make as new: PostgreSQL and Redis. No run takes it up again after exec(),
        copy_into_container(), restart() or a fault made on purpose: nobody could say what that has changed.
        """
        self._reuse = config.current()[config.REUSE] if duration is None else seconds(duration, what="duration")
        return self

    # The rest

    def with_kwargs(self, **kwargs: Any) -> Self:
        """Set what has no method here.

        By docker-py's keyword (``privileged``, ``mem_limit``, ...), or by the engine's own field name (libpod's
        ``SpecGenerator``), which is passed on as it is.
        """
        apply_keywords(self, kwargs)
        return self

    def clone(self) -> Self:
        """Return an independent copy of the definition, not started."""
        return copy.deepcopy(self)

    def spec(self) -> ContainerSpec:
        """Return the whole as the engine gets it, image substitution applied."""
        fields = dict(self._fields)
        if self._networks and fields.get("network_mode") is not None:
            raise DefinitionError(
                f"{self.image} is given both the network {self._networks[0]!r} and the network mode "
                f"{fields['network_mode']!r}",
                hint="use one of them",
            )
        if self._host_ports:
            fields["extra_hosts"] = {**self._host_names(fields.get("network_mode")), **fields.get("extra_hosts", {})}
        return ContainerSpec(
            image=resolve(self.image),
            name=self._name,
            command=self._command,
            env=dict(self._env),
            ports=self._all_ports(),
            mounts=tuple(self._mounts),
            networks=tuple(
                NetworkAttachment(name=name, aliases=tuple(self._network_aliases)) for name in self._networks
            ),
            engine_options=dict(self._engine_options),
            **fields,
        )

    def wait_strategy(self) -> WaitStrategy | None:
        """Return what :meth:`start` waits for: what was asked for, else a listener on each published TCP port."""
        if self._strategy is not None:
            return self._strategy
        ports = [port for port in self._all_ports() if port.protocol == "tcp"]
        return CompositeWaitStrategy(*(PortWaitStrategy(port.container) for port in ports)) if ports else None

    def _all_ports(self) -> tuple[Port, ...]:
        return tuple(({port.key: port for port in self._service_ports} | self._ports).values())
