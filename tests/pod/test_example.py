"""The project in tests/projects/web: an image built by the test, PostgreSQL, Redis and a worker, all in one pod."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from podjig.config import IMAGES, current

PROJECT = Path(__file__).parents[1] / "projects" / "web"


def test_the_web_project_is_green() -> None:
    images = ",".join(f"{name}={stand_in}" for name, stand_in in current()[IMAGES].items())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(PROJECT)],
        cwd=PROJECT,
        env={**os.environ, IMAGES.variable: images},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
