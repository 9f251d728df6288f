"""Getting an image into the engine's store: substitution, pull policy, progress."""

from __future__ import annotations

from podjig import config
from podjig.engine.protocol import Engine
from podjig.engine.values import ImageInfo
from podjig.errors import DefinitionError, ImageNotFound, ImagePullError
from podjig.image.progress import ProgressLine, bytes_done
from podjig.image.substitution import substitute

_PULLS = 3
"""How often an image is pulled whose name gets lost: Podman writes all names of an image at once, so that two clients
that name the same image at the same moment undo each other."""


def resolve(name: str) -> str:
    """Return the full name of the image that ``name`` stands for, substitutions applied.

    Raises:
        ImageNameError: It is not an image name.
    """
    return substitute(name, config.current()[config.IMAGES])


def check_policy(policy: str) -> str:
    """Return ``policy`` if it is a pull policy.

    Raises:
        DefinitionError: It is not.
    """
    if policy not in config.PULL_POLICIES:
        raise DefinitionError(f"unknown pull policy {policy!r}", hint=f"use one of {', '.join(config.PULL_POLICIES)}")
    return policy


def ensure_image(engine: Engine, name: str, *, policy: str | None = None, platform: str | None = None) -> ImageInfo:
    """Return the image, pulled if the policy wants it.

    Args:
        engine: Whose store.
        name: The full name, substitutions already applied.
        policy: ``"missing"``, ``"always"``, ``"never"`` or ``"newer"`` (pull, but use the local one where
            that fails); default: the setting ``pull``.
        platform: ``os/arch[/variant]`` to pull.

    Raises:
        ImageNotFound: It is absent, and the policy forbids to pull it.
        ImagePullError: The pull failed.
    """
    policy = check_policy(policy or config.current()[config.PULL])
    present = engine.inspect_image(name)
    if policy == "never" and present is None:
        raise ImageNotFound(
            f"image {name} is not in the store of {engine.info.name}, and the pull policy is 'never'",
            hint=f"pull or build it first ('podman pull {name}'), or use the pull policy 'missing'",
        )
    if present is not None and (policy in ("missing", "never") or name.startswith("localhost/")):
        return present
    if name.startswith("localhost/") or "/" not in name:
        raise ImageNotFound(
            f"image {name} is not in the store of {engine.info.name}, and no registry holds it",
            hint=f"build it first ('podman build -t {name} .'); 'podman images' lists what is there",
        )
    try:
        for _ in range(_PULLS):
            _pull(engine, name, platform)
            if pulled := engine.inspect_image(name):
                return pulled
    except ImagePullError:
        if policy == "newer" and present is not None:
            return present
        raise
    raise ImagePullError(
        f"{engine.info.name} says that it pulled {name}, but its store has no such image",
        hint="another process removes it, or names the same image all the time: stop that, and try again",
    )


def _pull(engine: Engine, name: str, platform: str | None) -> None:
    with ProgressLine(f"podjig: pulling {name}") as line:
        for step in engine.pull_image(name, platform=platform):
            line.update(bytes_done(step.done, step.total) or step.message)
