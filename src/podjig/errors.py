"""Every exception podjig raises, in one tree.

    PodjigError
    ├── ConfigError                    a setting, option or environment variable is wrong
    ├── DefinitionError (ValueError)   a value given to a builder or constructor is wrong
    │   ├── ImageNameError             not a well-formed image name
    │   ├── PortError                  not a port, given twice, or not published
    │   └── MountError                 unknown mode, missing source, relative target
    ├── LifecycleError                 a call that the container's state does not allow
    │   ├── NotStartedError            needs start() first
    │   └── AlreadyStartedError        start() was called twice
    ├── EngineError                    the container engine itself
    │   ├── EngineNotFound             no engine answered
    │   ├── EngineUnavailable          the engine's socket refused, or the connection was lost
    │   │   └── ServiceStartError      the private Podman service did not start
    │   ├── EngineTimeout              one call took longer than its deadline
    │   ├── EngineRequestError         the engine refused a request
    │   │   ├── ResourceNotFound       no such container, volume, network ...
    │   │   ├── NameInUse              a resource of that name exists already
    │   │   └── SubnetInUse            a network's address range is taken
    │   └── CapabilityMissing          this engine cannot do what was asked
    ├── ImageError                     images
    │   ├── ImageNotFound              absent here, and not to be pulled
    │   ├── ImagePullError             a pull failed
    │   └── ImageBuildError            a build failed
    ├── IsolationError                 no clean state of a server could be given
    │   └── MigrationError             a migration failed, or cannot be run
    └── ContainerError                 one container
        ├── ContainerStartError        it could not be created or started
        │   └── PortInUse              a host port it asked for is taken
        ├── ContainerExited            it ended while something was expected of it
        ├── WaitTimeout (TimeoutError) it was not ready before the deadline
        ├── ServerRefusal              the server in it said no to podjig's own request
        ├── ExecError                  a command could not be run inside it
        │   ├── CommandNotFound        no such program in the image
        │   └── ExecTimeout            the command did not end before its deadline
        └── CopyError                  a copy into or out of it failed

Each carries a message (what, which resource, which value), and where it helps
:attr:`~PodjigError.hint` (the command or setting that repairs it) and
:attr:`~PodjigError.logs` (the last lines the container or service wrote).
"""

from __future__ import annotations


class PodjigError(Exception):
    """Root of all podjig errors.

    Attributes:
        message: What failed, of which resource, with the offending value.
        hint: What to do about it; empty where nothing general can be said.
        logs: The last output of the container or service concerned; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "", logs: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.logs = logs

    def __str__(self) -> str:
        text = self.message
        if self.hint:
            text += f"\n  hint: {self.hint}"
        if self.logs:
            body = "\n".join(f"  | {line}" for line in self.logs.rstrip().splitlines())
            text += f"\n  last output:\n{body}"
        return text


class ConfigError(PodjigError):
    """A setting is wrong; the message names the value and where it came from."""


class DefinitionError(PodjigError, ValueError):
    """A value given to a builder method or constructor is wrong."""


class ImageNameError(DefinitionError):
    """The name does not follow the OCI reference grammar."""


class PortError(DefinitionError):
    """The port is out of range, malformed, given twice, or not published."""


class MountError(DefinitionError):
    """A volume's source, target, mode or size is wrong."""


class LifecycleError(PodjigError):
    """The container's state does not allow this call."""


class NotStartedError(LifecycleError):
    """The call needs a started container."""


class AlreadyStartedError(LifecycleError):
    """``start()`` was called on a container that is started."""


class EngineError(PodjigError):
    """The container engine failed or cannot be used."""


class EngineNotFound(EngineError):
    """No container engine answered; the message lists every probe and its reason."""


class EngineUnavailable(EngineError):
    """The engine's socket refused the connection, or the connection was lost."""


class ServiceStartError(EngineUnavailable):
    """The private Podman service ended before it answered; ``logs`` holds its output."""


class EngineTimeout(EngineError, TimeoutError):
    """The engine did not answer one call before that call's deadline."""


class EngineRequestError(EngineError):
    """The engine refused a request.

    Attributes:
        status: The HTTP status of the answer; 0 where the engine does not speak HTTP.
    """

    def __init__(self, message: str, *, hint: str = "", logs: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint, logs=logs)
        self.status = status


class ResourceNotFound(EngineRequestError):
    """The engine knows no container, image, volume or network of that name."""


class NameInUse(EngineRequestError):
    """A resource of that name exists already."""


class SubnetInUse(EngineRequestError):
    """The address range that a network asked for is taken."""


class CapabilityMissing(EngineError):
    """The engine in use cannot do what was asked."""


class ImageError(PodjigError):
    """Something about an image failed."""


class ImageNotFound(ImageError):
    """The image is not in the engine's store, and may not or cannot be pulled."""


class ImagePullError(ImageError):
    """The engine could not pull the image."""


class ImageBuildError(ImageError):
    """The engine could not build the image; ``logs`` holds the end of its output."""


class IsolationError(PodjigError):
    """A clean state of a server could not be made, given out or put away."""


class MigrationError(IsolationError):
    """A migration failed or cannot be run; ``logs`` holds what the server logged meanwhile."""


class ContainerError(PodjigError):
    """Something about one container failed."""


class ContainerStartError(ContainerError):
    """The engine could not create or start the container."""


class PortInUse(ContainerStartError):
    """A host port that the container asked for is taken."""


class ContainerExited(ContainerError):
    """The container ended while something was expected of it.

    Attributes:
        exit_code: The exit status of its first process.
    """

    def __init__(self, message: str, *, hint: str = "", logs: str = "", exit_code: int = 0) -> None:
        super().__init__(message, hint=hint, logs=logs)
        self.exit_code = exit_code


class WaitTimeout(ContainerError, TimeoutError):
    """The container was not ready before the deadline; ``logs`` holds its last output."""


class ServerRefusal(ContainerError):
    """The server inside said no to what podjig itself asked.

    Attributes:
        code: The server's own code, like PostgreSQL's SQLSTATE; may be empty.
    """

    def __init__(self, message: str, *, hint: str = "", logs: str = "", code: str = "") -> None:
        super().__init__(message, hint=hint, logs=logs)
        self.code = code


class ExecError(ContainerError):
    """A command could not be run inside the container."""


class CommandNotFound(ExecError):
    """The image has no such program, or it is not executable."""


class ExecTimeout(ExecError, TimeoutError):
    """The command did not end before its deadline."""


class CopyError(ContainerError):
    """A copy into or out of the container failed."""
