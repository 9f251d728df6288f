"""Reuse: a container left by an earlier run is taken up again, if nothing about it has changed.

Neither the engine nor its client is asked: its first process is still the one that was written down, the name of its
image still means that image, and its server proves to be the one that was remembered, is made as new and found to be
so. Everything else is removed and made anew. Nothing is ever taken up that podjig has not made: what was made is told
by our own record of it, never by looking around.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from podjig import __version__, config
from podjig.cleanup import reuse
from podjig.cleanup.folders import folders
from podjig.cleanup.labels import boot_id, start_time
from podjig.cleanup.reuse import ReuseRecord
from podjig.cleanup.session import Keep
from podjig.container import defaults
from podjig.container.files import Folder
from podjig.container.life import LifeMethods
from podjig.container.running import Found
from podjig.container.sharing import SharingMethods
from podjig.engine.discovery import describe, reach
from podjig.errors import ContainerError, CopyError

if TYPE_CHECKING:
    from typing_extensions import Self

    from podjig.container.files import Source

_DAY = 24 * 3600.0


class ReuseMethods(LifeMethods, SharingMethods):
    """The start of a container that outlives its run."""

    def start(self) -> Self:
        """Create and start the container and return self when it is ready. A failure leaves nothing behind.

        With :meth:`with_reuse`: or take up that of an earlier run.

        Raises:
            AlreadyStartedError: It is started.
            EngineNotFound: There is no container engine.
            ImageNotFound, ImagePullError: There is no such image.
            ContainerStartError: The engine could not start it.
            WaitTimeout: It was not ready in time.
            ContainerExited: It ended before it was ready.
        """
        if self._reuse is None and not defaults.reuse:
            return super().start()
        self._check_not_started()
        self._complete()
        began = time.perf_counter()
        note = self._start_for_reuse(config.current()[config.REUSE] if self._reuse is None else self._reuse)
        self._tell("started" if note else "reused", time.perf_counter() - began, note)
        return self

    def reuse_obstacle(self) -> str:
        """Return why a container cannot be reused, in words; empty if it can."""
        mounts = {mount.kind for mount in self._mounts}
        policy = self._pull_policy or config.current()[config.PULL]
        obstacles = {
            "podjig does not know how to make it as new": not self.can_reset,
            "it is given an engine": self._chosen_engine is not None,
            "its network ends with this run": bool(self._networks),
            "its ports of this machine end with this run": bool(self._host_ports),
            "it has a bind mount, whose content nobody watches": "bind" in mounts,
            "it has a named volume, which others may use": "volume" in mounts,
            "it has a file made of its addresses": bool(self._address_files),
            "with_keep() keeps each of it for itself": self._keep is not None,
            f"its image is asked for each time (pull policy {policy!r})": policy in ("always", "newer"),
        }
        return next((why for why, true in obstacles.items() if true), "")

    def reuse_key(self) -> str:
        """Return what two containers have in common if they are the same in all, and are made by the same podjig."""
        kind = type(self)
        whole = {
            "podjig": __version__,
            "type": f"{kind.__module__}.{kind.__qualname__}",
            "engine": describe().address,
            "lifetime": config.current()[config.LIFETIME],
            "host": config.current()[config.HOST],
            "spec": asdict(self.spec()),
            "copies": [[_digest(source), target, mode] for source, target, mode in self._copies],
        }
        return hashlib.sha256(json.dumps(whole, sort_keys=True, default=repr).encode()).hexdigest()[:32]

    def _start_for_reuse(self, duration: float) -> str:
        """Take up the container of an earlier run, or make one for later runs, or an ordinary one.

        Returns:
            Why it is not the first, in words; empty if it is.
        """
        why = self.reuse_obstacle()
        if why:
            self._start_at(None, configured=True)
            return f"not reusable: {why}"
        key = self.reuse_key()
        claimed = (self._claim_by or reuse.claim)(key)
        if claimed is None:
            self._start_at(None, configured=True)
            return "not reused: another run is using it"
        try:
            record = reuse.read(key)
            why = "it is the first" if record is None else self._take_up(key, record, duration)
            if why:
                if record is not None:
                    _put_away(key, record)
                self._make(key, duration)
        except BaseException:
            claimed.release()
            raise
        self._claim = claimed
        return f"made anew for reuse: {why}" if why else ""

    def join(self, key: str) -> Self:
        """Be the container kept for reuse under a key, as it is, beside the process that has the claim to it.

        Raises:
            AlreadyStartedError: It is started.
            ContainerError: There is none.
        """
        self._check_not_started()
        self._complete()
        began = time.perf_counter()
        record = reuse.read(key)
        if record is None or not record.runs:
            raise ContainerError(f"{self.description} has ended", hint="see its log, or run the tests again")
        self._be(key, record)
        self._tell("attached", time.perf_counter() - began)
        return self

    def _take_up(self, key: str, record: ReuseRecord, duration: float) -> str:
        """Be the recorded container, made as new; else return why not."""
        now = time.time()
        kept = folders().kept.get(record.id)
        if kept is None or kept.lock != str(reuse.lock_of(key)):
            return "the last one was kept for another purpose" if kept else "the last one was removed"
        try:
            obstacles = {
                "the last one has ended": not record.runs,
                f"{record.spoiled} was called of the last one": bool(record.spoiled),
                "the last one has expired": kept.until < now,
                "the last one's lifetime is nearly over": record.ends - now < config.current()[config.LIFETIME],
                "its image has changed": not _has_its_image(record),
            }
        except OSError as error:
            return f"the list of images cannot be read: {error}"
        why = next((why for why, true in obstacles.items() if true), "")
        if why:
            return why
        self._be(key, record)
        try:
            remembered = self.reset(record.remembered)
            reuse.write(key, replace(record, remembered=remembered))
            _keep(key, record, duration)
        except (ContainerError, OSError) as error:
            self._forget()
            return f"the last one cannot be made as new: {getattr(error, 'message', error)}"
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self._forget()
            return f"what was remembered of the last one cannot be read: {error!r}"
        except BaseException:
            self._forget()
            raise
        return ""

    def _be(self, key: str, record: ReuseRecord) -> None:
        self._engine = None  # found when it is first asked for
        self._id, self._pid, self._borrowed = record.id, os.getpid(), True
        self._found = Found(host=record.host, ports=record.ports)
        self._reuse_key = key

    def _make(self, key: str, duration: float) -> None:
        """Start one, and leave what a later run needs to know of it."""
        lifetime = config.current()[config.LIFETIME] + _DAY
        ends = time.time() + lifetime
        self._start_at(None, configured=True, lifetime=lifetime)
        session = self._session
        try:
            info = self.inspect()
            if session is None or not self.engine.info.local or not info.state.pid:
                return  # an ordinary one: it ends with us, or cannot be watched from here
            record = ReuseRecord(
                id=self.id,
                host=self.get_container_host_ip(),
                ports={port: where[0].host for port, where in info.ports.items() if where},
                pid=info.state.pid,
                start=start_time(info.state.pid),
                boot=boot_id(),
                ends=ends,
                image=info.image,
                image_id=info.image_id,
                images=_list_of_images(info.raw),
                remembered=self.remember(),
            )
            if record.images and not record.has_its_image:
                record = replace(record, images="")  # it comes from another list
            # Not kept before all is written down: until then it goes with this session.
            reuse.write(key, record)
            session.keep("container", record.id, Keep(duration=duration, why=reuse.WHY))
            _keep(key, record, duration)
        except BaseException as error:
            self._abandon(error)
            raise
        self._borrowed = True
        self._reuse_key = key


def _has_its_image(record: ReuseRecord) -> bool:
    if record.images:
        return record.has_its_image
    from podjig.cleanup.libpod import LibpodClient

    where = reach()
    return LibpodClient(where.address, revive=where.revive).image_id(record.image) == record.image_id


def _put_away(key: str, record: ReuseRecord) -> None:
    """Remove a container that is not taken up again, unless it is kept for something else by now."""
    kept = folders().kept.get(record.id)
    if kept is not None and kept.lock == str(reuse.lock_of(key)):
        from podjig.cleanup.libpod import LibpodClient
        from podjig.cleanup.resource import Resource

        where = reach()
        item = Resource(kind="container", id=record.id, name=record.id[:12])
        LibpodClient(where.address, revive=where.revive).remove(item)
        folders().kept.forget(record.id)
    reuse.forget(key)


def _keep(key: str, record: ReuseRecord, duration: float) -> None:
    seconds = min(duration, record.ends - time.time())
    folders().kept.keep(record.id, seconds=seconds, why=reuse.WHY, lock=str(reuse.lock_of(key)))


def _list_of_images(raw: Any) -> str:
    """Return the path of the file in which the engine lists its images; empty where that is not known."""
    driver = raw.get("GraphDriver") or {}
    layer = (driver.get("Data") or {}).get("UpperDir") or ""
    name = driver.get("Name") or ""
    if not layer or Path(layer).parents[1].name != name:
        return ""
    path = Path(layer).parents[2] / f"{name}-images" / "images.json"
    return str(path) if os.access(path, os.R_OK) else ""


def _digest(source: Source) -> str:
    """Return a digest of what is copied: bytes, a file, or a folder with all that is in it."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    if isinstance(source, Folder):
        return hashlib.sha256(repr(sorted(source.files.items())).encode()).hexdigest()
    path = Path(source)
    try:
        files = [path] if not path.is_dir() else sorted(path.rglob("*"))
        digest = hashlib.sha256()
        for file in files:
            what = os.readlink(file).encode() if file != path and file.is_symlink() else b""  # noqa: PTH115
            what = what or (file.read_bytes() if file.is_file() else b"")
            name = file.relative_to(path) if file != path else path.name
            digest.update(f"{name}\0{file.lstat().st_mode:o}\0{len(what)}\0".encode())
            digest.update(what)
    except OSError as error:
        raise CopyError(f"{source!s} cannot be read: {error}") from None
    return digest.hexdigest()
