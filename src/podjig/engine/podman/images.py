"""Images: look at, pull, build, import, name, remove."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO, Any

from podjig.engine.podman import faults, parse
from podjig.engine.podman.context import build_context
from podjig.engine.podman.create import platform_fields
from podjig.engine.podman.transport import path_part
from podjig.engine.podman.verbs import QUICK, SLOW, Verbs
from podjig.engine.values import ImageInfo, PullProgress
from podjig.errors import EngineRequestError, ImageBuildError, ImagePullError
from podjig.spec import BuildSpec

_SILENCE = 1800.0
"""Seconds in which a pull or a build may say nothing: a big layer, or a long compilation, is silent work."""

_FORMAT = "application/vnd.docker.distribution.manifest.v2+json"
"""What builds make. Were it left out, the service would find no layer of an earlier build again; and only this format
keeps a ``HEALTHCHECK``."""

_TAIL = 50  # last lines of a build that its error shows

_CACHE = "checking if cached image exists"
"""A build looks through all images for layers to use again, and fails if one is removed meanwhile, whosever it was."""

_BUILDS = 3
"""How often it is begun for that."""


class ImageVerbs(Verbs):
    """The store of images."""

    def inspect_image(self, name: str) -> ImageInfo | None:
        answer = self._transport.call(
            "GET", f"images/{path_part(name)}/json", what=f"inspect image {name!r}", deadline=QUICK, accept=(404,)
        )
        return None if answer.status == 404 else parse.image(answer.json())

    def pull_image(self, name: str, *, platform: str | None = None) -> Iterator[PullProgress]:
        # Byte counts come from the Docker-compatible endpoint only, but that one always insists on TLS. A registry on
        # this machine's loopback rarely has it, so for one the native endpoint is asked.
        fields = platform_fields(platform)
        what = f"pull {name!r}"
        try:
            if _on_loopback(name):
                native = {"OS": "image_os", "Arch": "image_arch", "Variant": "image_variant"}
                params = {parameter: fields.get(field) for parameter, field in native.items()}
                stream = self._transport.stream(
                    "POST", "images/pull", what=what, deadline=_SILENCE,
                    params={"reference": name, "tlsVerify": False, **params},
                )  # fmt: skip
            else:
                stream = self._transport.stream(
                    "POST", "images/create", what=what, deadline=_SILENCE, compatible=True,
                    params={"fromImage": name, "platform": platform},
                )  # fmt: skip
            for document in stream.documents(_SILENCE):
                if fault := _error_of(document):
                    raise _pull_fault(name, fault)
                if progress := _progress(document):
                    yield progress
        except EngineRequestError as error:
            raise _pull_fault(name, faults.reason(error)) from None

    def build_image(self, spec: BuildSpec) -> Iterator[str]:
        shown = spec.tags[0] if spec.tags else str(spec.context)
        last: deque[str] = deque(maxlen=_TAIL)
        with build_context(spec) as (archive, containerfile):
            params = {
                "dockerfile": containerfile,
                "t": list(spec.tags),
                "target": spec.target,
                "buildargs": dict(spec.build_args),
                "labels": dict(spec.labels),
                "nocache": spec.no_cache,
                "layers": True,
                "outputformat": _FORMAT,
                "rm": True,
                "forcerm": True,
                "pull": spec.pull,
                "pullpolicy": "always" if spec.pull else "missing",
                "platform": spec.platform,
            }
            for left in reversed(range(_BUILDS)):
                archive.seek(0)
                fault = ""
                try:
                    with self._transport.stream(
                        "POST", "build", what=f"build {shown!r}", deadline=_SILENCE, params=params, body=archive
                    ) as stream:
                        for document in stream.documents(_SILENCE):
                            if fault := _error_of(document):
                                break
                            if text := str(document.get("stream") or ""):
                                last.append(text)
                                yield text
                except EngineRequestError as error:
                    raise ImageBuildError(error.message, logs="".join(last)) from None
                if not fault:
                    return
                if not left or _CACHE not in fault:
                    raise ImageBuildError(f"cannot build {shown!r}: {fault}", logs="".join(last))

    def import_image(self, archive: IO[bytes], name: str, *, changes: Sequence[str] = ()) -> str:
        answer = self._transport.call(
            "POST",
            "images/import",
            what=f"import {name!r}",
            deadline=_SILENCE,
            params={"reference": name, "changes": list(changes)},
            body=archive,
        )
        return str(answer.json()["Id"]).removeprefix("sha256:")

    def tag_image(self, name: str, new_name: str) -> None:
        repository, tag = _split_tag(new_name)
        self._transport.call(
            "POST",
            f"images/{path_part(name)}/tag",
            what=f"name image {name!r} {new_name!r}",
            deadline=QUICK,
            params={"repo": repository, "tag": tag},
        )

    def remove_image(self, name: str) -> None:
        self._transport.call(
            "DELETE", f"images/{path_part(name)}", what=f"remove image {name!r}", deadline=SLOW, accept=(404,)
        )


def _split_tag(name: str) -> tuple[str, str]:
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


def _on_loopback(name: str) -> bool:
    registry = name.partition("/")[0]
    host = registry.rpartition(":")[0] or registry
    return host == "localhost" or host.startswith("127.") or host == "[::1]"


def _error_of(document: dict[str, Any]) -> str:
    """The error in a line of a stream: it comes within an answer of status 200."""
    detail = document.get("errorDetail") or {}
    return str(document.get("error") or detail.get("message") or "").strip()


def _progress(document: dict[str, Any]) -> PullProgress | None:
    counts = document.get("progressDetail") or {}
    message = str(document.get("stream") or document.get("status") or "").strip()
    if layer := document.get("id"):
        message = f"{message} {layer}" if message else str(layer)
    if not message:
        return None
    return PullProgress(message=message, done=counts.get("current"), total=counts.get("total"))


def _pull_fault(name: str, reason: str) -> ImagePullError:
    text = reason.lower()
    registry = name.partition("/")[0]
    if "unauthorized" in text or "denied" in text or "authentication" in text:
        hint = f"log in with 'podman login {registry}', and check that the image exists: registries hide private ones"
    elif "manifest unknown" in text or "not found" in text or "name unknown" in text:
        hint = "check name and tag"
    elif "http response to https" in text or "x509" in text or "certificate" in text:
        hint = f"the registry's TLS is not trusted: set 'insecure' or its certificate for {registry} in registries.conf"
    else:
        hint = (
            f"check the network, or name an image that this machine has: a mirror or a local image, "
            f'in [tool.podjig.images] or PODJIG_IMAGE_MAP="{name}=..."'
        )
    return ImagePullError(f"cannot pull {name!r}: {reason}", hint=hint)
