"""The doctor's report, laid out for people."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_WIDTH = 110
_BOLD, _RED, _YELLOW, _GREEN, _DIM = "1", "31", "33", "32", "2"
_SEVERITY = {"broken": _RED, "limited": _YELLOW, "note": _DIM}


def render(report: Mapping[str, Any], *, color: bool = False) -> str:
    """Return the report as text.

    Args:
        report: What :func:`podjig.cli.doctor.examine` returns.
        color: Whether to use terminal colors.
    """
    paint = _Paint(color)
    sections = [
        _engine(report, paint),
        _probes(report, paint),
        _settings(report, paint),
        _findings(report, paint),
        _images(report, paint),
        _config(report, paint),
    ]
    return "\n\n".join("\n".join(lines) for lines in map(list, sections) if lines)


class _Paint:
    def __init__(self, on: bool) -> None:
        self._on = on

    def __call__(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._on else text


def _engine(report: Mapping[str, Any], paint: _Paint) -> Iterator[str]:
    engine = report["engine"]
    yield f"podjig {report['podjig']}, Python {report['python']}, {report['system']}"
    if not engine["ok"]:
        yield paint(_RED, "No engine can be used.")
        yield from _wrapped(engine["error"], "  ")
        yield from _wrapped(f"hint: {engine['hint']}", "  ") if engine["hint"] else ()
        yield from (f"  | {line}" for line in engine["logs"].splitlines())
        return
    rootless = {True: ", rootless", False: ", rootful", None: ""}[engine["rootless"]]
    yield paint(_GREEN, f"{engine['name']} {engine['version']}{rootless} answers") + (
        f" ({engine['origin']}; found, started and asked in {engine['seconds']:.2f} s)"
    )
    yield f"  {engine['address']}"
    if report["service"]["log"] and engine["origin"] == "private service":
        yield f"  log: {report['service']['log']}"


def _probes(report: Mapping[str, Any], paint: _Paint) -> Iterator[str]:
    yield paint(_BOLD, "Where podjig looks for an engine, in this order")
    used = next((probe for probe in report["probes"] if probe["usable"]), None) if report["engine"]["ok"] else None
    rows = [("->" if probe is used else "", probe["place"], probe["reason"]) for probe in report["probes"]]
    yield from _table(rows)


def _settings(report: Mapping[str, Any], paint: _Paint) -> Iterator[str]:
    if not report["settings"]:
        return
    yield paint(_BOLD, "Settings of podjig's own Podman service")
    rows = [
        (choice["origin"], f"{choice['name']} = {_value(choice['value'])}", choice["why"])
        for choice in report["settings"]
    ]
    yield from _table(rows)


def _findings(report: Mapping[str, Any], paint: _Paint) -> Iterator[str]:
    if not report["findings"]:
        yield paint(_GREEN, "Nothing is broken on this host.")
        return
    yield paint(_BOLD, "What is wrong on this host")
    for finding in report["findings"]:
        severity = finding["severity"]
        first, *others = _wrapped(f"{severity}: {finding['problem']}", "  ")
        yield first.replace(severity, paint(_SEVERITY[severity], severity), 1)
        yield from others
        yield from _wrapped(f"so: {finding['effect']}", "    ")
        yield f"    repair: {finding['repair']}"  # never broken up: it is there to be copied


def _images(report: Mapping[str, Any], paint: _Paint) -> Iterator[str]:
    if not report["images"]:
        return
    yield paint(_BOLD, f"Images replaced ({report['images_origin']})")
    yield from _table([(image["name"], image["replacement"]) for image in report["images"]])


def _config(report: Mapping[str, Any], paint: _Paint) -> Iterator[str]:
    yield paint(_BOLD, "Settings of podjig")
    rows = [
        (f"{setting['name']} = {_value(setting['value'])}", setting["origin"], setting["variable"])
        for setting in report["config"]
        if setting["name"] != "images"
    ]
    yield from _table(rows)


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    rows = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        yield f"  {'  '.join(cells)}  {row[-1]}".rstrip()


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _value(value: object) -> str:
    if value is None:
        return "(unset)"
    if isinstance(value, str):
        return value or '""'
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
