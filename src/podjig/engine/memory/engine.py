"""The engine in memory, composed of its groups of verbs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import IO, NoReturn

from podjig.engine.memory.inside import InsideVerbs
from podjig.engine.memory.pods import PodVerbs
from podjig.engine.values import Capabilities, EngineInfo, ImageInfo, PullProgress
from podjig.errors import CapabilityMissing, EngineRequestError
from podjig.spec import BuildSpec

ALL_CAPABILITIES = Capabilities(pods=True, infra=True, health_on_demand=True, image_volumes=True)


class MemoryEngine(PodVerbs, InsideVerbs):
    """See :mod:`podjig.engine.memory` and, for the verbs, :class:`podjig.engine.protocol.Engine`.

    Args:
        capabilities: What it says it can do.
    """

    def __init__(self, *, capabilities: Capabilities = ALL_CAPABILITIES) -> None:
        super().__init__()
        self.capabilities = capabilities
        self.info: EngineInfo = EngineInfo(
            name="memory", version="1", address="memory:", origin="made by a test", rootless=True, local=True
        )

    def ping(self) -> None:
        with self._at("ping"):
            pass

    def close(self) -> None:
        """Nothing is held."""

    def native_client(self) -> NoReturn:
        raise CapabilityMissing("the in-memory engine has no client library", hint="use podjig's own methods")

    # Images

    def inspect_image(self, name: str) -> ImageInfo | None:
        with self._at("inspect_image"):
            image = self._images.find(name)
            return None if image is None else image.info

    def pull_image(self, name: str, *, platform: str | None = None) -> Iterator[PullProgress]:  # noqa: ARG002
        with self._at("pull_image"):
            steps = self._images.pull(name)
        yield from steps

    def build_image(self, spec: BuildSpec) -> Iterator[str]:
        with self._at("build_image"):
            steps = self._images.build(spec)
        yield from steps

    def import_image(self, archive: IO[bytes], name: str, *, changes: Sequence[str] = ()) -> str:
        with self._at("import_image"):
            return self._images.load(archive, name, changes)

    def tag_image(self, name: str, new_name: str) -> None:
        with self._at("tag_image"):
            self._images.tag(name, new_name)

    def remove_image(self, name: str) -> None:
        with self._at("remove_image"):
            image = self._images.find(name)
            used = image and any(container.image.id == image.info.id for container in self._containers.values())
            if image and len(image.info.names) == 1 and used:
                raise EngineRequestError(f"cannot remove image {name!r}: a container uses it")
            self._images.remove(name)

    # Volumes

    def create_volume(self, name: str, *, labels: Mapping[str, str] | None = None) -> None:
        with self._at("create_volume"):
            self._volumes.create(name, labels or {})

    def remove_volume(self, name: str) -> None:
        with self._at("remove_volume"):
            self._volumes.remove(name)

    def list_volumes(self, *, labels: Mapping[str, str] | None = None) -> list[str]:
        with self._at("list_volumes"):
            return self._volumes.names(labels)
