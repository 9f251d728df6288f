"""The images of the engine in memory."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from podjig.engine.memory.script import Behaviour, Call, Script
from podjig.engine.values import ImageInfo, PullProgress
from podjig.errors import EngineRequestError, ImageBuildError, ImagePullError, ResourceNotFound
from podjig.spec import BuildSpec, ContainerSpec


@dataclass(frozen=True, kw_only=True)
class StoredImage:
    """An image and how its containers behave."""

    info: ImageInfo
    behaviour: Behaviour

    def script(self, spec: ContainerSpec) -> Script:
        """Return what one container does."""
        return self.behaviour if isinstance(self.behaviour, Script) else self.behaviour(spec)


class ImageStore:
    """Images by name, and those that a registry would have."""

    def __init__(self) -> None:
        self._images: dict[str, StoredImage] = {}
        self._remote: dict[str, StoredImage] = {}

    def add(self, name: str, behaviour: Behaviour, *, remote: bool, **fields: Any) -> str:
        """Add one; see :meth:`MemoryEngine.add_image`."""
        fields = {"size": 0, "os": "linux", "architecture": "amd64", **fields}
        made = hashlib.sha256(f"{name} {len(self._images) + len(self._remote)}".encode()).hexdigest()
        image = StoredImage(info=ImageInfo(id=made, names=(), **fields), behaviour=behaviour)
        (self._remote if remote else self._images)[name] = image
        return made

    def find(self, name: str) -> StoredImage | None:
        """Return the image of that name or id, with all its names."""
        found = self._images.get(name)
        if found is None:
            found = next((image for image in self._images.values() if image.info.id == name), None)
        if found is None:
            return None
        names = tuple(sorted(key for key, image in self._images.items() if image.info.id == found.info.id))
        return replace(found, info=replace(found.info, names=names))

    def tag(self, name: str, new_name: str) -> None:
        """Add a name."""
        image = self.find(name)
        if image is None:
            raise ResourceNotFound(f"cannot name image {name!r} {new_name!r}: no such image")
        self._images[new_name] = image

    def remove(self, name: str) -> None:
        """Drop a name."""
        self._images.pop(name, None)

    def pull(self, name: str) -> Iterator[PullProgress]:
        """Take an image from the registry."""
        yield PullProgress(message=f"Trying to pull {name}...")
        if name not in self._remote:
            raise ImagePullError(
                f"cannot pull {name!r}: no registry has it", hint="in a test: engine.add_image(name, remote=True)"
            )
        self._images[name] = self._remote[name]
        yield PullProgress(message="Writing manifest", done=1, total=1)

    def load(self, archive: IO[bytes], name: str, changes: Sequence[str]) -> str:
        """Make an image of a root file system, which nothing looks into."""
        try:
            with tarfile.open(fileobj=archive, mode="r|*") as tar:
                size = sum(member.size for member in tar)
        except tarfile.TarError as error:
            raise EngineRequestError(f"cannot import {name!r}: not a tar archive ({error})") from None
        fields: dict[str, Any] = {"size": size}
        for change in changes:
            fields = _apply(change, fields)
        return self.add(name, Script(), remote=False, **fields)

    def build(self, spec: BuildSpec) -> Iterator[str]:
        """Build an image: ``FROM`` decides how it behaves, ``RUN`` runs the programs of its script."""
        shown = spec.tags[0] if spec.tags else str(spec.context)
        lines = re.sub(r"\\\n", " ", _containerfile(spec).read_text(encoding="utf-8")).splitlines()
        steps = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
        base: StoredImage | None = None
        fields: dict[str, Any] = {}
        for number, step in enumerate(steps, start=1):
            yield f"STEP {number}/{len(steps)}: {step}\n"
            word, _, rest = step.partition(" ")
            if word.upper() == "FROM":
                base = self.find(rest.split()[0])
                if base is None:
                    raise ImageBuildError(f"cannot build {shown!r}: no image {rest.split()[0]!r}", logs=step)
                fields = {"env": base.info.env, "labels": base.info.labels, "command": base.info.command}
            elif base is None:
                raise ImageBuildError(f"cannot build {shown!r}: it does not begin with FROM", logs=step)
            elif word.upper() == "RUN":
                program = base.script(ContainerSpec(image=base.info.id)).programs.get("sh")
                if program is None:
                    continue
                call = Call(container="", command=("sh", "-c", rest), env=spec.build_args)
                outcome = program(call) if callable(program) else program
                output = (outcome.stdout + outcome.stderr).decode("utf-8", errors="replace")
                yield output
                if outcome.exit_code:
                    raise ImageBuildError(
                        f'cannot build {shown!r}: building at STEP "{step}": exit status {outcome.exit_code}',
                        logs=f"{step}\n{output}",
                    )
            else:
                fields = _apply(step, fields)
        if base is None:
            raise ImageBuildError(f"cannot build {shown!r}: the Containerfile has no FROM")
        fields["labels"] = {**fields["labels"], **spec.labels}
        for tag in spec.tags[:1]:
            yield f"COMMIT {tag}\n"
            self.add(tag, base.behaviour, remote=False, **fields)
        for tag in spec.tags[1:]:
            self.tag(spec.tags[0], tag)


def _containerfile(spec: BuildSpec) -> Path:
    names = (spec.containerfile,) if spec.containerfile else ("Containerfile", "Dockerfile")
    for name in names:
        if (spec.context / name).is_file():
            return spec.context / name
    raise ImageBuildError(
        f"there is no {' or '.join(names)} in the build context {str(spec.context)!r}", hint="give its path below it"
    )


def _apply(instruction: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Return an image's fields as ``CMD``, ``ENV`` or ``LABEL`` leaves them; others change nothing one could see."""
    word, _, rest = instruction.strip().partition(" ")
    match word.upper():
        case "CMD" if rest.startswith("["):
            return {**fields, "command": tuple(json.loads(rest))}
        case "CMD":
            return {**fields, "command": ("/bin/sh", "-c", rest)}
        case "ENV" | "LABEL" as kind:
            name, _, value = rest.partition("=")
            field = "env" if kind == "ENV" else "labels"
            return {**fields, field: {**fields.get(field, {}), name: value.strip('"')}}
        case _:
            return fields
