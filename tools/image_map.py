#!/usr/bin/env python3
"""Print a PODJIG_IMAGE_MAP that chooses the suite's images, whatever project the tests lie in.

That is the table [tool.podjig.images] of our pyproject.toml; with PODJIG_TEST_IMAGES=upstream, each of its names stands
for itself, which takes back the table.
"""

import os
import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

settings = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())
images = settings["tool"]["podjig"]["images"]
if os.environ.get("PODJIG_TEST_IMAGES") == "upstream":
    images = {name: f"docker.io/library/{name}" for name in images}
print(",".join(f"{name}={image}" for name, image in images.items()))
