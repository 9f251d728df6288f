"""The lines podjig adds to pytest's header."""

from __future__ import annotations

from podjig import __version__, config
from podjig.engine.discovery import EngineSketch, describe
from podjig.errors import PodjigError


def header_lines() -> list[str]:
    """Return what will run the containers and what stands in for which image; cheap, starts nothing."""
    try:
        settings = config.current()
        lines = [f"podjig: {__version__}, {_engine(describe(settings))}"]
        images = settings.explain(config.IMAGES)
    except PodjigError as error:  # told here, raised where a container is asked for
        return [f"podjig: {__version__}, {error.message}"]
    if images.value:
        pairs = ", ".join(f"{name} -> {stand_in}" for name, stand_in in sorted(images.value.items()))
        lines.append(f"podjig images: {pairs} (from {images.origin})")
    return lines


def _engine(sketch: EngineSketch) -> str:
    rights = {True: "rootless", False: "rootful", None: "remote"}[sketch.rootless]
    state = "" if sketch.running else ", started when first needed"
    return f"{sketch.name} {sketch.version} {rights} ({sketch.origin}, {sketch.address}{state})"
