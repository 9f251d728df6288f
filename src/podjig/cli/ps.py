"""``podjig ps``: what podjig has made and is still there, whose it is, since when, and why."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence

from podjig import config as configuration
from podjig.cleanup.folders import folders
from podjig.cleanup.inventory import Entry, survey, troubles
from podjig.cleanup.libpod import LibpodClient
from podjig.engine.discovery import reach

_DESCRIPTION = """\
List what podjig has made on the engine and is still there: containers, pods (each with its members), networks, named
volumes and built images, of all sessions. Changes nothing; starts podjig's own Podman service if that is the engine.
"""
_EPILOG = """\
standing:
  alive     its session runs: nothing and nobody but that session removes it
  ended     its session is over: 'podjig clean' removes it, and so does the next session (or it is being done)
  kept      kept on purpose; 'podjig clean NAME' or '--all' removes it
  expired   its time is over: as ended
  unknown   its session's lease cannot be seen from here: 'podjig clean NAME' removes it, and anybody once it expires

exit codes: 0 listed, 1 no engine answers, 2 wrong usage
"""
_WIDTHS = (80, 120)
_COLUMNS = ("NAME", "KIND", "STATE", "AGE", "OWNER", "STANDING", "WHY")
_NAME = 30


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "ps",
        help="list what podjig has made and is still there, whose it is and why",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--format", choices=("table", "json"), default="table", help="table for people, json for programs (says more)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the list and return the exit code."""
    where = folders()
    engine = reach(configuration.load())
    entries = survey(LibpodClient(engine.address, revive=engine.revive), where)
    logs = troubles(where)
    if arguments.format == "json":
        report = {
            "engine": engine.address,
            "resources": [entry.as_json() for entry in entries],
            "troubles": [{"log": path, "last_line": line} for path, line in logs],
        }
        text = json.dumps(report, indent=2)
    else:
        width = min(max(shutil.get_terminal_size((_WIDTHS[1], 0)).columns, _WIDTHS[0]), _WIDTHS[1])
        text = "\n".join(render(entries, logs, width=width))
    print(text)  # noqa: T201
    return 0


def render(entries: Sequence[Entry], logs: Sequence[tuple[str, str]], *, width: int) -> Iterator[str]:
    """Yield the lines of the table and what is to be said below it, none wider than ``width`` but the logs' paths."""
    if entries:
        rows = [_COLUMNS, *(_row(entry, member) for entry, member in _tree(entries))]
        yield from _table(rows, width)
        removable = sum(entry.verdict.removable for entry in entries)
        if removable:
            yield ""
            yield f"{removable} of {len(entries)} can go: podjig clean"
    else:
        yield "Nothing of podjig's is there."
    if logs:
        yield ""
        yield "Some things could not be removed:"
        for path, line in logs:
            yield f"  {path}"
            yield f"    {_cut(line, width - 4)}"


def age(seconds: float) -> str:
    """Return a duration in its two greatest units: ``45s``, ``3m10s``, ``2h5m``, ``4d3h``."""
    seconds = max(0, int(seconds))
    for unit, size, smaller, small in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if seconds >= size:
            return f"{seconds // size}{unit}{seconds % size // small}{smaller}"
    return f"{seconds}s"


def _tree(entries: Sequence[Entry]) -> Iterator[tuple[Entry, bool]]:
    """Yield the entries, each with whether it is a pod's member; members follow their pod, or what stands in for it."""
    there = {entry.resource.id for entry in entries}
    for entry in entries:
        if entry.resource.pod in there:
            continue
        yield entry, False
        for member in entries:
            if member.resource.pod == entry.resource.id:
                yield member, True


def _row(entry: Entry, member: bool) -> tuple[str, ...]:
    owner = str(entry.pid or "?")
    if entry.host != os.uname().nodename:
        owner += f"@{_cut(entry.host, 12)}"
    return (
        ("  " if member else "") + _cut(entry.resource.name, _NAME - 2 * member),
        entry.resource.kind,
        entry.resource.status.lower(),
        "?" if entry.created is None else age(time.time() - entry.created),
        owner,
        entry.verdict.standing,
        f"for {entry.requested_by}" if entry.verdict.standing == "alive" and entry.requested_by else entry.verdict.why,
    )


def _table(rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS) - 1)]
    for row in rows:
        line = "  ".join([*(cell.ljust(size) for cell, size in zip(row[:-1], widths, strict=True)), row[-1]])
        yield _cut(line.rstrip(), width)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
