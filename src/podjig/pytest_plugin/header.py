"""The lines podjig adds to pytest's header."""

from __future__ import annotations

from podjig import __version__, config
from podjig.engine.discovery import describe
from podjig.errors import PodjigError


def header_lines() -> list[str]:
    """Return what will run the containers and what stands in for which image; cheap, starts nothing."""
    try:
        settings = config.current()
        lines = [f"podjig: {__version__}, {describe(settings)}"]
        images = settings.explain(config.IMAGES)
    except PodjigError as error:  # told here, raised where a container is asked for
        return [f"podjig: {__version__}, {error.message}"]
    if images.value:
        pairs = ", ".join(f"{name} -> {stand_in}" for name, stand_in in sorted(images.value.items()))
        lines.append(f"podjig images: {pairs} (from {images.origin})")
    return lines
