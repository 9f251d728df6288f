"""The documentation is true: its examples run, its links lead somewhere, its tables are the code's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from podjig import errors
from podjig.config import IMAGES, SETTINGS, current

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))

# A block that runs is marked by a comment above it, which no reader of the page sees.
MARKED = re.compile(r"^<!-- (runnable(?: as a test)?) -->\n```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


class Example(NamedTuple):
    """One block of a page."""

    page: Path
    line: int
    code: str


def examples(mark: str) -> list[Any]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in MARKED.finditer(text):
            if match[1] == mark:
                line = text.count("\n", 0, match.start(2))
                found.append(pytest.param(Example(page, line, match[2]), id=f"{page.stem}-{line + 1}"))
    return found


@pytest.mark.parametrize("example", examples("runnable"))
def test_example_runs(example: Example) -> None:
    # The empty lines in front make a traceback name the page's own line.
    code = compile("\n" * example.line + example.code, str(example.page), "exec")
    exec(code, {"__name__": "example"})


@pytest.mark.parametrize("example", examples("runnable as a test"))
def test_example_passes(example: Example, tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(example.code, encoding="utf-8")
    images = ",".join(f"{name}={stand_in}" for name, stand_in in current()[IMAGES].items())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, IMAGES.variable: images},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_blocks_compile(page: Path) -> None:
    for match in re.finditer(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        compile(match[1], str(page), "exec")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(linked), f"{page.name} links to {target}"


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_navigation() -> None:
    listed = re.findall(r"^  - (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == [page.name for page in PAGES]


def test_every_page_is_linked_from_the_first() -> None:
    linked = set(LINK.findall((ROOT / "docs/index.md").read_text(encoding="utf-8")))
    assert linked >= {page.name for page in PAGES} - {"index.md"}


def test_configuration_lists_the_settings() -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `?([^|`]+)`? \|", text, re.MULTILINE)
    assert listed == [(setting.name, setting.variable, shown(setting.default)) for setting in SETTINGS]


def shown(default: object) -> str:
    return f"{default:g}" if isinstance(default, float) else str(default or "empty")


def test_errors_shows_the_tree() -> None:
    assert errors.__doc__
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    assert branches(page) == branches(errors.__doc__)


def branches(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if "──" in line]
