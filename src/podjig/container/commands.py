"""What is done inside a container: commands run, files copied."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from podjig.container.definition import env_text
from podjig.container.files import Source, copy_in, copy_out
from podjig.container.running import Running
from podjig.engine.values import ExecResult
from podjig.errors import DefinitionError
from podjig.spec import seconds
from podjig.spec.command import split_command

EXEC_TIMEOUT = 300.0
"""Seconds a command run with :meth:`GenericContainer.exec` may take unless told otherwise."""


class CommandMethods(Running):
    """Commands and copies."""

    def exec(
        self,
        command: str | Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        user: str | int | None = None,
        workdir: str | None = None,
        privileged: bool = False,
        timeout: float | timedelta = EXEC_TIMEOUT,
    ) -> ExecResult:
        """Run a command inside and return what it gave; unpacks as ``(exit_code, output)``.

        Args:
            command: Program and arguments; a string is split as a shell would. No shell runs unless named:
                ``["sh", "-c", "..."]``.
            env: Further environment variables.
            user: Who runs it; the container's user where ``None``.
            workdir: Its working directory.
            privileged: Give it all rights that the engine has.
            timeout: Seconds it may take.

        Raises:
            CommandNotFound: There is no such program.
            ExecTimeout: It did not end in time.
            ContainerExited: The container does not run.
            DefinitionError: The command is empty, or a value in ``env`` is no text.
        """
        words = split_command(command)
        if not words:
            raise DefinitionError("the command to run is empty", hint="name a program and its arguments")
        self._spoil("exec()")
        return self.engine.exec(
            self.id,
            words,
            env={key: env_text(key, value) for key, value in (env or {}).items()},
            user=None if user is None else str(user),
            workdir=workdir,
            privileged=privileged,
            timeout=seconds(timeout),
        )

    def copy_into_container(self, source: Source, destination: str, mode: int | None = None) -> None:
        """Copy bytes, a file or a folder to the absolute path ``destination``.

        Args:
            source: Bytes, or a path on this machine.
            destination: The path it gets inside; ends in ``/`` to keep a file's name in that folder.
            mode: Permission bits of the files; their own (bytes: 0o644) where ``None``.

        Raises:
            CopyError: The source, or the destination's folder, does not exist.
        """
        self._spoil("copy_into_container()")
        copy_in(self.engine, self.id, source, destination, mode)

    def copy_from_container(self, source: str, destination: str | os.PathLike[str] | None = None) -> bytes:
        """Copy a file or folder out of it, to ``destination``; return a file's content where that is ``None``.

        Raises:
            CopyError: There is no such path inside, or no such folder here.
        """
        return copy_out(self.engine, self.id, source, None if destination is None else Path(destination))
