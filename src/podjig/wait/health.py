"""Wait for the container's own healthcheck."""

from __future__ import annotations

from podjig.errors import CapabilityMissing, DefinitionError, EngineRequestError, ResourceNotFound
from podjig.wait.strategy import WaitStrategy
from podjig.wait.target import WaitTarget


class HealthcheckWaitStrategy(WaitStrategy):
    """Wait until the healthcheck of the image or container finds it healthy.

    The check is run on demand: Podman's own timers need systemd, which many hosts lack.
    """

    def check(self, target: WaitTarget) -> str | None:
        engine = target.engine
        if not engine.capabilities.health_on_demand:
            state = engine.inspect_container(target.id).state
            if not state.health:
                raise CapabilityMissing(f"{engine.info.name} does not run the healthcheck of {target.description}")
            return None if state.health == "healthy" else f"last status: {state.health}"
        try:
            result = engine.run_healthcheck(target.id)
        except ResourceNotFound:
            raise
        except EngineRequestError:
            if engine.inspect_container(target.id).state.health:
                raise
            raise DefinitionError(
                f"{target.description} has no healthcheck",
                hint="give it one with with_healthcheck('command'), or wait for something else",
            ) from None
        return None if result.status == "healthy" else f"last check: {result.status} {result.output.strip()[-200:]}"

    def describe(self) -> str:
        return "its healthcheck to succeed"
