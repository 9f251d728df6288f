"""``python -m podjig.cli``: the same as ``podjig``."""

import sys

from podjig.cli import main

sys.exit(main())
