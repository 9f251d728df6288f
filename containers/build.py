#!/usr/bin/env python3
"""Build the images that the test suite runs on: those that are missing or whose recipe has changed.

    containers/build.py                       all of them
    containers/build.py postgres:17 redis:8   these, and what they are based on
    containers/build.py --list                what there is

They go into the store of the user who runs this, as localhost/podjig/NAME.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

from podjig.engine.discovery import current_engine
from podjig.errors import PodjigError
from podjig.spec import BuildSpec

HERE = Path(__file__).resolve().parent
PREFIX = "localhost/podjig/"
RECIPE_LABEL = "podjig.recipe"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Base:
    """A minimal Debian, made of the machine's own package mirror: no registry is asked."""

    suite: str
    base: str | None = None

    def recipe(self) -> str:
        return " ".join(self.command("ARCHIVE"))

    def command(self, archive: str, mirror: str | None = None) -> list[str]:
        # Documentation and translations would double the size; unsafe-io because an image needs no fsync.
        keep = ["path-exclude=/usr/share/doc/*", "path-include=/usr/share/doc/*/copyright", "force-unsafe-io"]
        keep += [f"path-exclude=/usr/share/{folder}/*" for folder in ("info", "locale", "man")]
        return [
            *("mmdebstrap", "--mode=unshare", "--variant=minbase"),
            *("--aptopt=Acquire::Languages none", "--aptopt=Apt::Install-Recommends false"),
            *(f"--dpkgopt={option}" for option in keep),
            *(self.suite, archive),
            *([mirror] if mirror else []),
        ]

    def build(self, name: str, labels: dict[str, str], report: Report) -> None:
        with tempfile.TemporaryDirectory(prefix="podjig-") as folder:
            archive = Path(folder, "root.tar")
            report("mmdebstrap")
            run(self.command(str(archive), debian_mirror()), report)
            report("import")
            changes = ["CMD bash", *(f"LABEL {key}={value}" for key, value in labels.items())]
            with archive.open("rb") as file:
                current_engine().import_image(file, name, changes=changes)


@dataclass(frozen=True)
class Build:
    """A folder with a Containerfile, on one of the bases."""

    folder: str
    base: str
    args: dict[str, str] = field(default_factory=dict)

    def recipe(self) -> str:
        files = sorted(path for path in (HERE / self.folder).rglob("*") if path.is_file())
        return "".join(f"{path.name}\n{path.read_text()}" for path in files) + json.dumps(self.args, sort_keys=True)

    def build(self, name: str, labels: dict[str, str], report: Report) -> None:
        args = {"BASE": PREFIX + self.base, **self.args}
        spec = BuildSpec(context=HERE / self.folder, tags=(name,), build_args=args, labels=labels)
        for output in current_engine().build_image(spec):
            report(output)


IMAGES: dict[str, Base | Build] = {
    "base:bookworm": Base("bookworm"),
    "base:trixie": Base("trixie"),
    "busybox:latest": Build("busybox", "base:trixie"),
    "postgres:15": Build("postgres", "base:bookworm", {"PG_MAJOR": "15"}),
    "postgres:17": Build("postgres", "base:trixie", {"PG_MAJOR": "17"}),
    "redis:7": Build("redis", "base:bookworm"),
    "redis:8": Build("redis", "base:trixie"),
    "registry:2": Build("registry", "base:trixie"),
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(IMAGES)}")
    parser.add_argument("--list", action="store_true", help="say which images there are, and build nothing")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(IMAGES))
    if unknown:
        parser.error(f"no recipe for {', '.join(unknown)}; there are: {', '.join(IMAGES)}")
    if os.environ.get("PODJIG_TEST_IMAGES") == "upstream":
        print("PODJIG_TEST_IMAGES=upstream: the suite runs on upstream images, none is built")
        return 0

    try:
        return build_or_list(options.names, only_list=options.list)
    except PodjigError as error:
        print(error, file=sys.stderr)
        return 1


def build_or_list(names: list[str], *, only_list: bool) -> int:
    recipes = {name: recipe_of(name) for name in IMAGES}
    if only_list:
        for name, recipe in recipes.items():
            built = recipe_in_store(PREFIX + name)
            state = "absent" if built is None else "built" if built == recipe else "outdated"
            print(f"{PREFIX + name:<32} {state}")
        return 0
    wanted = with_bases(names or list(IMAGES))
    missing = [name for name in wanted if recipe_in_store(PREFIX + name) != recipes[name]]
    return build_all(missing, recipes) if missing else 0


def with_bases(names: list[str]) -> list[str]:
    """Return the names and what they are based on, in the order of the table."""
    bases = {IMAGES[name].base for name in names}
    return [name for name in IMAGES if name in names or name in bases]


def recipe_of(name: str) -> str:
    """Return a digest of all that goes into an image, its base included."""
    image = IMAGES[name]
    text = image.recipe() + (recipe_of(image.base) if image.base else "")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def build_all(names: list[str], recipes: dict[str, str]) -> int:
    """Build, two at a time, each after what it is based on."""
    order = TopologicalSorter({name: [base for base in names if base == IMAGES[name].base] for name in names})
    order.prepare()
    progress = Progress()
    running: dict[Future[None], str] = {}
    failed: dict[str, BaseException] = {}
    with ThreadPoolExecutor(max_workers=2) as pool:
        while order.is_active() and not failed:
            for name in order.get_ready():
                running[pool.submit(build_one, name, recipes[name], progress)] = name
            done, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for job in done:
                name = running.pop(job)
                error = job.exception()
                order.done(name)
                if error is not None:
                    failed[name] = error
            progress.show()
        wait(running)
    for name, error in failed.items():
        print(f"\n{PREFIX}{name} could not be built: {error}", file=sys.stderr)
    return 1 if failed else 0


def build_one(name: str, recipe: str, progress: Progress) -> None:
    how = "failed"
    report = progress.begin(name)
    engine = current_engine()
    try:
        before = engine.inspect_image(PREFIX + name)
        IMAGES[name].build(PREFIX + name, {RECIPE_LABEL: recipe}, report)
        after = engine.inspect_image(PREFIX + name)
        if before and after and before.id != after.id:
            # It has no name any more. A container, or an image on top of it, may still need it.
            with suppress(PodjigError):
                engine.remove_image(before.id)
        how = "built"
    finally:
        progress.end(name, how)


class Progress:
    """What is being built: a line that stays up to date on a terminal, else a line now and then."""

    EVERY = 10.0  # seconds between two lines about one image where there is no terminal

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._started: dict[str, float] = {}
        self._shown: dict[str, float] = {}
        self._step: dict[str, str] = {}

    def begin(self, name: str) -> Report:
        """Return what is to be called with each line of the builder's output."""
        self._started[name] = self._shown[name] = time.monotonic()
        self._step[name] = "begins"
        if not self._terminal:
            self._print(f"==> {PREFIX}{name} ...")

        def report(line: str) -> None:
            if line.startswith(("STEP", "mmdebstrap", "import", "I: ")):
                self._step[name] = line.removeprefix("I: ").partition(";")[0][:60]

        return report

    def show(self) -> None:
        now = time.monotonic()
        if self._terminal:
            states = [f"{name} ({now - start:.0f} s)" for name, start in sorted(self._started.copy().items())]
            sys.stdout.write(f"\r\033[K==> building {', '.join(states)}" if states else "")
            sys.stdout.flush()
            return
        for name, start in sorted(self._started.copy().items()):
            if now - self._shown[name] >= self.EVERY:
                self._shown[name] = now
                self._print(f"==> {PREFIX}{name} ... {now - start:.0f} s: {self._step[name]}")

    def end(self, name: str, how: str) -> None:
        seconds = time.monotonic() - self._started.pop(name)
        self._print(f"{chr(13) + chr(27) + '[K' if self._terminal else ''}==> {PREFIX}{name}: {how} in {seconds:.0f} s")

    @staticmethod
    def _print(line: str) -> None:
        print(line, flush=True)


def debian_mirror() -> str | None:
    """Return the Debian mirror that this machine's apt uses; on another distribution mmdebstrap knows one itself."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in targets.stdout.splitlines():
        label, _, uri = line.partition(" ")
        if label == "Debian":
            return uri
    return None


def run(command: list[str], report: Report) -> None:
    """Run a command, reporting its output line by line; its failure carries the last of them."""
    lines: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            report(lines[-1])
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with status {process.returncode}\n" + "\n".join(lines[-30:]))


def recipe_in_store(name: str) -> str | None:
    """Return the recipe that an image in the store was built from; ``None`` where there is no image."""
    image = current_engine().inspect_image(name)
    return None if image is None else image.labels.get(RECIPE_LABEL, "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
