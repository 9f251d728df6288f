#!/usr/bin/env python3
"""Print [tool.podjig.images] of our pyproject.toml as a PODJIG_IMAGE_MAP, for projects outside the checkout."""

import os
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

settings = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())
images = {} if os.environ.get("PODJIG_TEST_IMAGES") == "upstream" else settings["tool"]["podjig"]["images"]
print(",".join(f"{name}={substitute}" for name, substitute in images.items()))
