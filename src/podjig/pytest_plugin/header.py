"""The lines podjig adds to pytest's header."""

from __future__ import annotations

from podjig import __version__, config
from podjig.engine.discovery import EngineSketch, describe
from podjig.errors import PodjigError

_WIDTH = 100


def header_lines() -> list[str]:
    """Return what will run the containers and what stands in for which image; cheap, starts nothing."""
    try:
        settings = config.current()
        lines = [f"podjig: {__version__}, {_engine(describe(settings))}"]
        images = settings.explain(config.IMAGES)
    except PodjigError as error:  # told here, raised where a container is asked for
        return [f"podjig: {__version__}, {error.message}"]
    if images.value:
        lines.append(f"podjig images, from {images.origin}:")
        lines += _joined([f"{name} -> {stand_in}" for name, stand_in in sorted(images.value.items())])
    return lines


def _joined(items: list[str]) -> list[str]:
    """Return the items in lines of at most :data:`_WIDTH` characters, where one item does not need more."""
    lines = [""]
    for item in items:
        if lines[-1] and len(lines[-1]) + len(item) > _WIDTH:
            lines.append("")
        lines[-1] += f"{', ' if lines[-1] else '  '}{item}"
    return lines


def _engine(sketch: EngineSketch) -> str:
    rights = {True: "rootless", False: "rootful", None: "remote"}[sketch.rootless]
    state = "" if sketch.running else ", started when first needed"
    return f"{sketch.name} {sketch.version} {rights} ({sketch.origin}, {sketch.address}{state})"
