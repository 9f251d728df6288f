"""``podjig clean``: remove what ended sessions have left, and on request what is kept."""

from __future__ import annotations

import argparse
import os
import re
import sys

from podjig import config as configuration
from podjig.cleanup.folders import Folders, folders
from podjig.cleanup.inventory import Entry, survey
from podjig.cleanup.libpod import LibpodClient
from podjig.cleanup.resource import REMOVAL_ORDER, Resource
from podjig.cleanup.sweep import sweep
from podjig.engine.discovery import reach
from podjig.errors import EngineError

_DESCRIPTION = """\
Remove what podjig has made and nobody uses any more: everything of sessions that have ended, and what has expired.
Says what it removes, and why it leaves the rest. Nothing of a living session is ever removed, by no option: end the
process ('podjig ps' shows its id), and its things go by themselves.
"""
_EPILOG = """\
what is removed:
  podjig clean           what has ended or expired
  podjig clean --all     also what is kept on purpose, and what was made before this machine was last restarted
  podjig clean NAME...   only these, also where kept or unknown; a name as 'podjig ps' shows it, an id or its beginning,
                         or KIND/NAME (volume/data) where two kinds share a name

exit codes: 0 done (also if there was nothing to do), 1 something could not or may not be removed, or no engine
answers, 2 wrong usage
"""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST_ID = 4

Key = tuple[str, str]


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "clean",
        help="remove what ended sessions have left",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("names", nargs="*", default=[], metavar="NAME", help="remove only these")
    which.add_argument("--all", action="store_true", help="also what is kept on purpose")
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed, and remove nothing")
    parser.add_argument(
        "--older-than",
        type=duration,
        metavar="AGE",
        help="of all that, only what was made longer ago than this: 90s, 30m, 2h, 7d",
    )
    parser.set_defaults(run=run)


def duration(text: str) -> float:
    """Return ``2h`` in seconds.

    Raises:
        ArgumentTypeError: It is no duration.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age; write a number and s, m, h or d, like 90s, 30m, 2h, 7d")
    return float(match[1]) * _UNITS[match[2]]


def run(arguments: argparse.Namespace) -> int:
    """Remove, say so, and return the exit code."""
    where = folders()
    engine = reach(configuration.load())
    client = LibpodClient(engine.address, revive=engine.revive)
    entries = survey(client, where)
    report = _Report(dry=arguments.dry_run)
    chosen: dict[Key, Entry] = {}
    if arguments.names:
        named = [entry for name in arguments.names if (entry := _named(name, entries, client, report))]
        considered = [each for entry in named for each in (entry, *_held(entry, entries))]
    else:
        considered = entries
    for entry in considered:
        reason = _reason_to_leave(entry, arguments)
        if not reason:
            chosen[_key(entry.resource)] = entry
        elif arguments.names:
            report.refused(str(entry.resource), reason)
        else:
            report.left(entry.resource, reason)
    if arguments.dry_run:
        for entry in chosen.values():
            report.removed(entry.resource, entry.verdict.why)
    elif chosen or not arguments.names:
        _remove(client, where, chosen, report)
    return report.finish()


def _remove(client: LibpodClient, where: Folders, chosen: dict[Key, Entry], report: _Report) -> None:
    def told(item: Resource, error: EngineError | None) -> None:
        if error is None:
            report.removed(item, chosen[_key(item)].verdict.why)
        else:
            report.failed(error)

    sweep(client, where, choose=lambda item, _: _key(item) in chosen, told=told)


def _reason_to_leave(entry: Entry, arguments: argparse.Namespace) -> str:
    """Why it is left; empty if it is removed."""
    verdict = entry.verdict
    if verdict.by == "nobody":
        process = f" (process {entry.pid} on {entry.host})" if verdict.standing == "alive" else ""
        return verdict.why + process
    if arguments.older_than is not None and not entry.older_than(arguments.older_than):
        return "it is younger than that"
    if arguments.names or verdict.by == "anyone":
        return ""
    if arguments.all and verdict.by == "all":
        return "" if entry.user == os.getuid() else f"it is user {entry.user}'s; {verdict.why}"
    return verdict.why


def _named(name: str, entries: list[Entry], client: LibpodClient, report: _Report) -> Entry | None:
    """Return what is called so; say why if that is not one thing of ours."""
    found = [entry for entry in entries if _is_called(entry.resource, name)]
    if len(found) == 1:
        return found[0]
    if found:
        others = ", ".join(f"{entry.resource.kind}/{entry.resource.name}" for entry in found)
        report.refused(name, f"that may be each of {others}")
        return None
    strangers = [item for item in client.everything() if _is_called(item, name)]
    if strangers:
        report.refused(str(strangers[0]), "podjig did not make it; only what carries its labels is its to remove")
    else:
        report.refused(name, "there is nothing of that name; 'podjig ps' lists what there is")
    return None


def _held(entry: Entry, entries: list[Entry]) -> list[Entry]:
    """The members of the pod for which a container stands in: that goes after them."""
    if entry.resource.kind != "container":
        return []  # a pod of the engine's own takes its members along
    return [member for member in entries if member.resource.pod == entry.resource.id]


def _is_called(item: Resource, name: str) -> bool:
    kind, slash, rest = name.partition("/")
    if slash and kind in REMOVAL_ORDER:
        return item.kind == kind and _is_called(item, rest)
    hexadecimal = item.id.removeprefix("sha256:")
    return name in (item.name, item.id) or (
        len(name) >= _SHORTEST_ID and item.kind != "volume" and hexadecimal.startswith(name)
    )


def _key(item: Resource) -> Key:
    return item.kind, item.id


class _Report:
    """What was done, told line by line."""

    def __init__(self, *, dry: bool) -> None:
        self._verb = "would remove" if dry else "removed"
        self._removed = self._left = self._failed = 0

    def removed(self, item: Resource, why: str) -> None:
        self._removed += 1
        with_it = " with its members" if item.kind == "pod" else ""
        _say(f"{self._verb} {item}{with_it}: {why}")

    def left(self, item: Resource, why: str) -> None:
        self._left += 1
        _say(f"left {item}: {why}")

    def failed(self, error: EngineError) -> None:
        self._failed += 1
        print(f"podjig: {error}", file=sys.stderr)  # noqa: T201

    def refused(self, what: str, why: str) -> None:
        self._failed += 1
        print(f"podjig: cannot remove {what}: {why}", file=sys.stderr)  # noqa: T201

    def finish(self) -> int:
        parts = [f"{self._verb} {self._removed}", f"left {self._left}"]
        _say(", ".join([*parts, f"failed {self._failed}"] if self._failed else parts))
        return 1 if self._failed else 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201
