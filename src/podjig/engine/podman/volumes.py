"""Named volumes."""

from __future__ import annotations

from collections.abc import Mapping

from podjig.engine.podman.transport import path_part
from podjig.engine.podman.verbs import QUICK, Verbs, carries_all, label_filter
from podjig.errors import EngineRequestError, NameInUse


class VolumeVerbs(Verbs):
    """Create, remove, list. Never prune: the service's prune takes what other sessions hold ready."""

    def create_volume(self, name: str, *, labels: Mapping[str, str] | None = None) -> None:
        try:
            # 4.x reads "Label", 5.x "Labels" as well
            self._transport.call(
                "POST",
                "volumes/create",
                what=f"create volume {name!r}",
                deadline=QUICK,
                body={"Name": name, "Label": dict(labels or {}), "Labels": dict(labels or {})},
            )
        except EngineRequestError as error:
            if "already exists" in error.message:
                raise NameInUse(
                    f"a volume named {name!r} exists already",
                    hint=f"choose another name, or remove it: podman volume rm {name}",
                    status=error.status,
                ) from None
            raise

    def remove_volume(self, name: str) -> None:
        self._transport.call(
            "DELETE", f"volumes/{path_part(name)}", what=f"remove volume {name!r}", deadline=QUICK, accept=(404,)
        )

    def list_volumes(self, *, labels: Mapping[str, str] | None = None) -> list[str]:
        answer = self._transport.call(
            "GET", "volumes/json", what="list volumes", deadline=QUICK, params=label_filter(labels)
        )
        # 4.x lists what carries any of the labels, so they are looked at once more.
        return [
            str(volume["Name"]) for volume in answer.json() or () if carries_all(volume.get("Labels") or {}, labels)
        ]
