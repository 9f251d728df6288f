"""Finding a run's own concerns of the plugin, which fixtures made by podjig's factories cannot do without."""

from __future__ import annotations

from typing import TypeVar

import pytest

from podjig.errors import ConfigError

Concern = TypeVar("Concern")


def concern_of(config: pytest.Config, name: str, kind: type[Concern]) -> Concern:
    """Return what is registered in a run under a name.

    Args:
        config: The run's.
        name: The name.
        kind: What it is.

    Raises:
        ConfigError: The plugin is not loaded: somebody has switched it off, or all that load themselves.
    """
    found = config.pluginmanager.get_plugin(name)
    if not isinstance(found, kind):
        raise ConfigError(
            "a fixture of podjig is used, but podjig's pytest plugin is not loaded",
            hint="leave out '-p no:podjig'; with PYTEST_DISABLE_PLUGIN_AUTOLOAD, give '-p podjig'",
        )
    return found
