"""How a container is shared: by the workers of a run, each with a part of it; by one run after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from podjig.container.running import Running
from podjig.errors import ContainerError

if TYPE_CHECKING:
    from typing_extensions import Self


class SharingMethods(Running):
    """What services override that know how; of any image, nobody can say what tests have changed in it."""

    can_partition: ClassVar[bool] = False
    """Whether :meth:`partition` is there."""

    can_reset: ClassVar[bool] = False
    """Whether :meth:`remember` and :meth:`reset` are there."""

    def partition(self, worker: str) -> Self:
        """Be only this worker's part of the started server, made if absent: its URL leads there from now on.

        Args:
            worker: The worker's name, like ``"gw0"``. Each name has a part of its own.

        Raises:
            NotStartedError: It is not started.
            ContainerError: It cannot be divided, or not so often.
        """
        raise ContainerError(
            f"{self.description} cannot be divided among workers: podjig does not know what is in it",
            hint=f"start one for each worker; part of {worker} would be all of it",
        )

    def remember(self) -> str:
        """Note what the server is like, before anybody has used it; for :meth:`reset`.

        Raises:
            NotStartedError: It is not started.
            ContainerError: It has no :meth:`reset`.
        """
        raise ContainerError(f"{self.description} cannot be made as new: podjig does not know what is in it")

    def reset(self, remembered: str) -> str:
        """Make the server as it was when :meth:`remember` was called.

        Args:
            remembered: What that returned, or the reset before.

        Returns:
            What to remember from now on.

        Raises:
            NotStartedError: It is not started.
            ContainerError: It has no such method; it is another server than the remembered one; or something was
                changed that cannot be undone. Start another one then.
        """
        raise ContainerError(f"{self.description} cannot be made as new ({len(remembered)} bytes remembered)")
