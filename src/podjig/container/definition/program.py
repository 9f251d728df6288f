"""The builder: what runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from podjig.container.definition.fields import Fields
from podjig.container.env_file import read_env_file
from podjig.errors import DefinitionError
from podjig.image.store import check_policy
from podjig.spec.command import split_command

if TYPE_CHECKING:
    from typing_extensions import Self


class ProgramMethods(Fields):
    """The program, who runs it, and its surroundings."""

    def with_command(self, command: str | Sequence[str]) -> Self:
        """Set the arguments of the entrypoint; a string is split as a shell would, without expanding anything."""
        self._command = split_command(command)
        return self

    def with_entrypoint(self, entrypoint: str | Sequence[str]) -> Self:
        """Replace the image's entrypoint; a string is split as a shell would."""
        return self._set(entrypoint=split_command(entrypoint))

    def with_name(self, name: str) -> Self:
        """Name the container. Two containers of one name cannot exist: leave it out where tests run in parallel."""
        if not isinstance(name, str) or not name:
            raise DefinitionError(f"container name {name!r} is empty", hint="give a name, or none at all")
        self._name = name
        return self

    def with_env(self, key: str, value: str | int | float) -> Self:
        """Set an environment variable."""
        self._env[key] = env_text(key, value)
        return self

    def with_envs(self, **variables: str | int | float) -> Self:
        """Set several environment variables."""
        for key, value in variables.items():
            self.with_env(key, value)
        return self

    def with_env_file(self, env_file: str | os.PathLike[str]) -> Self:
        """Set the variables of a file with lines ``KEY=value``; reads the file now.

        Raises:
            DefinitionError: The file is missing, or a line is malformed.
        """
        return self.with_envs(**read_env_file(Path(env_file)))

    def with_user(self, user: str | int) -> Self:
        """Run as ``uid``, ``uid:gid``, ``name`` or ``name:group``."""
        return self._set(user=str(user))

    def with_working_dir(self, path: str) -> Self:
        """Set the working directory inside."""
        return self._set(workdir=path)

    def with_hostname(self, hostname: str) -> Self:
        """Set the host name inside."""
        return self._set(hostname=hostname)

    def with_labels(self, labels: Mapping[str, str] | None = None, /, **more: str) -> Self:
        """Add labels."""
        return self._set(labels={**self._fields.get("labels", {}), **(labels or {}), **more})

    def with_init(self, init: bool = True) -> Self:
        """Run a small init as first process, which reaps zombies and forwards signals."""
        return self._set(init=init)

    def with_platform(self, platform: str) -> Self:
        """Use the image for ``os/arch[/variant]``, like ``linux/arm64``."""
        if platform.count("/") not in (1, 2) or not all(platform.split("/")):
            raise DefinitionError(f"platform {platform!r} is malformed", hint="write os/arch, like 'linux/arm64'")
        return self._set(platform=platform)

    def with_pull_policy(self, policy: str) -> Self:
        """Pull the image ``"missing"``, ``"always"``, ``"never"`` or ``"newer"`` (the local one where that fails)."""
        self._pull_policy = check_policy(policy)
        return self


def env_text(key: object, value: object) -> str:
    """Return an environment variable's value as text.

    Raises:
        DefinitionError: ``key`` is no name, or ``value`` neither text nor a number.
    """
    if not isinstance(key, str) or not key or "=" in key or "\0" in key:
        raise DefinitionError(f"{key!r} is not a name of an environment variable")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise DefinitionError(
            f"environment variable {key} has the value {value!r}, which is no text",
            hint="leave it out, or write the text that the program expects, like '' or 'true'",
        )
    return str(value)
