"""What holds for containers that do not say themselves. Loads nothing: the pytest plugin sets it in every run."""

from __future__ import annotations

reuse: bool = False
"""Whether containers that can be reused are, as by ``with_reuse()``."""
