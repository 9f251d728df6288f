"""The ``podjig`` command, for people outside pytest. One subcommand a file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from podjig import __version__
from podjig.errors import PodjigError

# Each names a module here with ``register(subparsers)``, which sets ``run``: a function of the parsed arguments
# that returns the exit code.
COMMANDS = ("doctor", "ps", "clean")

_EPILOG = """\
start here:
  podjig doctor        which container engine is used and why; what is broken on this host and how to repair it
  podjig ps            what podjig has made and is still there, whose it is and why
  podjig clean         remove what ended sessions have left

Settings come from [tool.podjig] in pyproject.toml, then from PODJIG_... environment variables.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 success, 1 failure, 2 wrong usage."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except PodjigError as error:
        print(f"podjig: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us has read enough ('podjig doctor | head'); the interpreter's last flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="podjig",
        description="Real services as test fixtures, on rootless Podman: no daemon, no root, no configuration.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"podjig {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        import_module(f"podjig.cli.{name}").register(subparsers)
    return parser
