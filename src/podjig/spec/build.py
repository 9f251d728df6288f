"""Image builds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class BuildSpec:
    """One image build.

    Attributes:
        context: Folder whose files the build may ``COPY``.
        tags: Names the image gets.
        containerfile: Path below ``context``; ``None`` looks for ``Containerfile``, then ``Dockerfile``.
        target: The stage to stop at.
        build_args: Values of ``ARG``.
        labels: Labels added to the image.
        no_cache: Build every layer anew.
        pull: Ask the registry for newer base images.
        platform: ``os/arch[/variant]``.
    """

    context: Path
    tags: tuple[str, ...]
    containerfile: str | None = None
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    no_cache: bool = False
    pull: bool = False
    platform: str | None = None
