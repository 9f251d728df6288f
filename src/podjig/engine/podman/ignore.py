"""``.containerignore`` and ``.dockerignore``: what a build context leaves out.

The service applies the file once more; here it spares sending what would be thrown away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class IgnoreFile:
    """Patterns in order; the last one that matches a path decides.

    Attributes:
        patterns: Pairs of (a path is taken back in, the pattern).
    """

    patterns: tuple[tuple[bool, re.Pattern[str]], ...] = ()
    keep: frozenset[str] = frozenset()

    @classmethod
    def of(cls, context: Path, containerfile: str) -> IgnoreFile:
        """Read the one that holds for a build: next to the Containerfile by its name, else in the context."""
        names = [
            f"{containerfile}.containerignore", f"{containerfile}.dockerignore", ".containerignore", ".dockerignore"
        ]  # fmt: skip
        for name in names:
            path = context / name
            if path.is_file():
                return cls(patterns=_parse(path.read_text(encoding="utf-8")), keep=frozenset({name, containerfile}))
        return cls()

    def excludes(self, path: str) -> bool:
        """Whether the file or folder ``path``, with slashes and relative to the context, is left out."""
        if path in self.keep:
            return False
        excluded = False
        for include, pattern in self.patterns:
            if pattern.fullmatch(path):
                excluded = not include
        return excluded

    def may_include_below(self, folder: str, *wanted: str) -> bool:
        """Whether something below an excluded folder may be taken in all the same."""
        below = any(path.startswith(f"{folder}/") for path in (*wanted, *self.keep))
        return below or any(include for include, _ in self.patterns)


def _parse(text: str) -> tuple[tuple[bool, re.Pattern[str]], ...]:
    patterns = []
    for line in text.splitlines():
        rule = line.strip()
        if not rule or rule.startswith("#"):
            continue
        include = rule.startswith("!")
        rule = rule.removeprefix("!").strip().strip("/")
        rule = rule.removeprefix("./")
        if rule:
            # a matched folder takes all below along
            patterns.append((include, re.compile(f"{_expression(rule)}(/.*)?", re.DOTALL)))
    return tuple(patterns)


def _expression(rule: str) -> str:
    """Translate Go's ``filepath.Match`` with Docker's ``**``."""
    out = ""
    position = 0
    while position < len(rule):
        if rule.startswith("**/", position):
            out += "(.*/)?"
            position += 3
        elif rule.startswith("**", position):
            out += ".*"
            position += 2
        elif rule[position] == "*":
            out += "[^/]*"
            position += 1
        elif rule[position] == "?":
            out += "[^/]"
            position += 1
        elif rule[position] == "[" and "]" in rule[position + 1 :]:
            end = rule.index("]", position + 1)
            out += rule[position : end + 1]
            position = end + 1
        else:
            out += re.escape(rule[position])
            position += 1
    return out
