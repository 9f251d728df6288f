"""Building images from a Containerfile."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from podjig.cleanup.session import Session, session_of
from podjig.engine.discovery import current_engine
from podjig.engine.protocol import Engine
from podjig.errors import DefinitionError, ImageBuildError, NotStartedError
from podjig.image.progress import ProgressLine
from podjig.image.reference import normalise
from podjig.spec import BuildSpec


class DockerImage:
    """An image built from a folder with a Containerfile or Dockerfile.

    As a context manager it is built on entry and removed at the end (unless ``clean_up=False``)::

        with DockerImage(path="app", tag="localhost/app:test") as image:
            with GenericContainer(str(image)) as container:
                ...

    Args:
        path: The build context.
        tag: The image's name; a random ``localhost/podjig/build:...`` where ``None``.
        dockerfile_path: Containerfile below ``path``; by default ``Containerfile``, then ``Dockerfile``.
        no_cache: Build every layer anew.
        clean_up: Remove the image when the context ends.
        buildargs: Values of ``ARG``.
        target: The stage to stop at.
        labels: Labels added to the image.
        platform: ``os/arch[/variant]``.
        on_output: Called with each line of the build's output.
        engine: Whose store; the discovered engine where ``None``.

    Raises:
        DefinitionError: The folder or the Containerfile does not exist.
        ImageNameError: The tag is not an image name.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        tag: str | None = None,
        *,
        dockerfile_path: str | None = None,
        no_cache: bool = False,
        clean_up: bool = True,
        buildargs: Mapping[str, str] | None = None,
        target: str | None = None,
        labels: Mapping[str, str] | None = None,
        platform: str | None = None,
        on_output: Callable[[str], None] | None = None,
        engine: Engine | None = None,
    ) -> None:
        context = Path(path)
        if not context.is_dir():
            raise DefinitionError(f"build context {str(context)!r} is not a folder", hint="name the folder to build")
        self.tag: str = normalise(tag) if tag else f"localhost/podjig/build:{uuid.uuid4().hex[:12]}"
        self.clean_up = clean_up
        self._spec = BuildSpec(
            context=context,
            tags=(self.tag,),
            containerfile=_containerfile(context, dockerfile_path),
            target=target,
            build_args=dict(buildargs or {}),
            labels=dict(labels or {}),
            no_cache=no_cache,
            platform=platform,
        )
        self._on_output = on_output
        self._engine = engine
        self._output: list[str] = []
        self._session: Session | None = None
        self._id: str | None = None
        self._pid = 0

    def build(self) -> DockerImage:
        """Build the image and return self.

        Raises:
            ImageBuildError: A step failed; ``logs`` holds the end of the output.
        """
        engine = self._engine or current_engine()
        self._output.clear()
        session = session_of(engine) if self.clean_up else None
        spec = self._spec
        if session is not None:
            spec = replace(spec, labels={**spec.labels, **session.labels("image", name=self.tag)})
        self._pid = os.getpid()
        with nullcontext() if session is None else session.making():
            with ProgressLine(f"podjig: building {self.tag}") as progress:
                for line in engine.build_image(spec):
                    self._output.append(line)
                    progress.update(line)
                    if self._on_output is not None:
                        self._on_output(line)
            built = engine.inspect_image(self.tag)
            if built is None:
                raise ImageBuildError(
                    f"the build of {self.tag} ended without an image", logs="".join(self._output[-20:])
                )
            self._engine, self._session, self._id = engine, session, built.id
            if session is not None:
                session.opened("image", self.tag, self._forget)
        return self

    def remove(self) -> None:
        """Remove the image. Quiet if it was not built or is gone. Other names that somebody gave it keep it alive.

        Without effect in a forked child: the image is its parent's.
        """
        if self._engine is None or self._id is None or self._pid != os.getpid():
            return
        named = self._engine.inspect_image(self.tag)
        if named is not None and named.id == self._id:
            self._engine.remove_image(self.tag)
        else:  # another build has taken the name since
            ours = self._engine.inspect_image(self._id)
            if ours is not None and not ours.names:
                self._engine.remove_image(self._id)
        self._forget()

    def _forget(self) -> None:
        self._id = None
        if self._session is not None:
            self._session.closed("image", self.tag)

    @property
    def id(self) -> str:
        """The full id.

        Raises:
            NotStartedError: It was not built yet.
        """
        if self._id is None:
            raise NotStartedError(f"image {self.tag} is not built", hint="call build(), or use it in a with block")
        return self._id

    @property
    def short_id(self) -> str:
        """The first 12 characters of the id."""
        return self.id.removeprefix("sha256:")[:12]

    def get_logs(self) -> list[str]:
        """Return the lines of the last build's output."""
        return list(self._output)

    def __str__(self) -> str:
        return self.tag

    def __enter__(self) -> DockerImage:
        return self.build()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.clean_up:
            self.remove()


def _containerfile(context: Path, given: str | None) -> str:
    for name in (given,) if given else ("Containerfile", "Dockerfile"):
        if (context / name).is_file():
            return name
    wanted = repr(given) if given else "'Containerfile' or 'Dockerfile'"
    raise DefinitionError(f"there is no {wanted} in {str(context)!r}", hint="name it with dockerfile_path=")
