"""Image names, as the OCI distribution grammar and Docker's shorthand have them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from podjig.errors import ImageNameError

DEFAULT_REGISTRY = "docker.io"
DEFAULT_TAG = "latest"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_DOMAIN = re.compile(r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.?)+(?::\d+)?|\[[0-9a-fA-F:]+\](?::\d+)?")
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}")
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class ImageReference:
    """A parsed image name.

    Attributes:
        repository: With its registry: ``docker.io/library/postgres``.
        tag: ``16``; empty where the name has none.
        digest: ``sha256:...``; empty where the name has none.
    """

    repository: str
    tag: str = ""
    digest: str = ""

    @classmethod
    def parse(cls, name: str) -> ImageReference:
        """Read a name as users write it; ``postgres:16`` becomes ``docker.io/library/postgres`` with tag ``16``.

        Raises:
            ImageNameError: It is not an image name.
        """
        hint = "write [registry/]name[:tag][@digest], in lower case, like 'postgres:16'"
        if not isinstance(name, str) or not name:
            raise ImageNameError(f"{name!r} is not an image name", hint=hint)
        rest, at, digest = name.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise ImageNameError(f"image name {name!r} has a malformed digest {digest!r}", hint=hint)
        last = rest.rpartition("/")[2]
        tag = ""
        if ":" in last:
            rest, _, tag = rest.rpartition(":")
            if not _TAG.fullmatch(tag):
                raise ImageNameError(f"image name {name!r} has a malformed tag {tag!r}", hint=hint)
        repository = normalise_repository(rest)
        domain, _, path = repository.partition("/")
        if not _DOMAIN.fullmatch(domain) or not _PATH.fullmatch(path):
            raise ImageNameError(f"{name!r} is not a well-formed image name", hint=hint)
        return cls(repository=repository, tag=tag, digest=digest)

    def with_default_tag(self) -> ImageReference:
        """Return it with the tag ``latest`` where it names neither tag nor digest."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def __str__(self) -> str:
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def normalise_repository(path: str) -> str:
    """Put the default registry in front of a repository or prefix that names none."""
    first, slash, _ = path.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return path
    return f"{DEFAULT_REGISTRY}/{path}" if slash else f"{DEFAULT_REGISTRY}/library/{path}"


def normalise(name: str) -> str:
    """Return an image name in full: ``postgres`` is ``docker.io/library/postgres:latest``. Ids stay as they are.

    Raises:
        ImageNameError: It is not an image name.
    """
    if isinstance(name, str) and _ID.fullmatch(name):
        return name
    return str(ImageReference.parse(name).with_default_tag())
