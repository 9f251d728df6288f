"""``podjig doctor``: which engine is used and why, what was chosen for this host, what is broken, what repairs it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import asdict
from typing import Any

from podjig import __version__
from podjig import config as configuration
from podjig.cli.doctor_report import render
from podjig.config import IMAGES, SERVICE_IDLE, SETTINGS, Config
from podjig.engine import discovery, environment, host, settings, storage
from podjig.engine.choice import Choice
from podjig.engine.diagnosis import diagnose
from podjig.engine.finding import Finding
from podjig.engine.log_diagnosis import findings as log_findings
from podjig.engine.service import PrivateService
from podjig.engine.service_log import Log
from podjig.errors import PodjigError

_DESCRIPTION = """\
Look at this host as podjig does: every place where an engine may be and what was found there, the settings chosen for
podjig's own Podman service (with the reason, and whose choice each was), and what is broken, with the command that
repairs it. Then use the engine once, starting the private service if that is the one, as a check from end to end.

Nothing is changed on this host and nothing is written into your configuration.
"""
_EPILOG = """\
exit codes: 0 an engine answers, 1 none does, 2 wrong usage

whose a setting is:
  yours     set in your or the system's containers.conf or storage.conf, or in your environment; left as it is
  chosen    set by podjig because of this host, for its own service alone
  default   Podman's own choice
"""


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "doctor",
        help="say which engine is used and why, and what is broken on this host",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--format", choices=("text", "json"), default="text", help="text for people, json for programs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the report and return the exit code."""
    report = examine(configuration.load())
    if arguments.format == "json":
        text = json.dumps(report, indent=2, default=str)
    else:
        text = render(report, color=sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    print(text)  # noqa: T201
    return 0 if report["healthy"] else 1


def examine(config: Config) -> dict[str, Any]:
    """Return the whole report as plain values.

    Raises:
        ConfigError: A setting of podjig's is wrong.
    """
    service = PrivateService(idle=config[SERVICE_IDLE])
    probes = discovery.probe(config)
    check = _check(config)
    choices, found = _private_service(service)
    return {
        "healthy": check["ok"],
        "podjig": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "engine": check,
        "probes": [
            {"place": probe.place.label, "usable": probe.usable, "reason": probe.reason, "origin": probe.place.origin}
            for probe in probes
        ],
        "service": _service(service),
        "settings": [choice._asdict() for choice in choices],
        "findings": [asdict(finding) for finding in found],
        "images": [{"name": name, "replacement": other} for name, other in sorted(config[IMAGES].items())],
        "images_origin": config.explain(IMAGES).origin,
        "config": [
            {"name": setting.name, "value": value.value, "origin": value.origin, "variable": setting.variable}
            for setting in SETTINGS
            for value in [config.explain(setting)]
        ],
    }


def _check(config: Config) -> dict[str, Any]:
    """Use the engine once, as a test would."""
    began = time.perf_counter()
    try:
        engine = discovery.connect(config)
        engine.ping()
        info = engine.info
        engine.close()
    except PodjigError as error:
        return {"ok": False, "error": error.message, "hint": error.hint, "logs": error.logs}
    seconds = time.perf_counter() - began
    return {"ok": True, **asdict(info), "seconds": round(seconds, 3)}


def _service(service: PrivateService) -> dict[str, Any]:
    try:
        return {"address": service.address, "log": str(service.log_path), "running": service.running()}
    except PodjigError as error:
        return {"address": "", "log": "", "running": False, "error": error.message}


def _private_service(service: PrivateService) -> tuple[list[Choice], list[Finding]]:
    """What was chosen for the private service, and what is wrong with the host."""
    if sys.platform != "linux":
        return [], []
    inherited = environment.inherited(os.environ)
    facts = host.probe(inherited)
    try:
        version = service.version
        choices = settings.choose(facts, inherited, version=version)
        repairs = [choice for choice in choices if not choice.name.startswith("STORAGE_")]
        store = storage.probe(environment.repaired(inherited, repairs), facts)
    except PodjigError as error:
        trouble = Finding(
            problem=error.message,
            effect="podjig's own Podman service cannot start",
            repair=error.hint,
            severity="broken",
        )
        return [], [trouble]
    found = diagnose(facts, store, choices, version=version)
    known = {finding.effect for finding in found}
    found += [finding for finding in log_findings(Log(service.log_path).tail()) if finding.effect not in known]
    return list(choices), found
