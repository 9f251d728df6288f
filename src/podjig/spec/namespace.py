"""Namespaces that containers may share."""

from __future__ import annotations

from typing import Literal

Namespace = Literal["net", "ipc", "uts", "pid"]
