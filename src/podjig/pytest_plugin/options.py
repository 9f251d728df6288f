"""The plugin's options: command line > environment > pytest's ini > default; each value knows where it came from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from podjig import config as settings
from podjig.config import Setting, Value
from podjig.errors import ConfigError

_Values = Mapping[str, Value[Any]]
_VALUES = pytest.StashKey[_Values]()


class Option(NamedTuple):
    """One option of the plugin.

    Attributes:
        setting: Its name, variable (empty: none), default, how it is read, and its help.
        metavar: What stands for its value on the command line; empty for a flag.
        ini: The type of its entry ``podjig_NAME`` in pytest's ini.
        command_line: Whether there is ``--podjig-NAME``.
    """

    setting: Setting[Any]
    metavar: str = ""
    ini: Any = "string"
    command_line: bool = True

    @property
    def ini_name(self) -> str:
        """Its name in pytest's ini."""
        return f"podjig_{self.setting.name}"

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return f"--podjig-{self.setting.name.replace('_', '-')}"


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(raw: Any) -> str:
        if raw not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return str(raw)

    return read


def _truth(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower()
    if word not in ("1", "0", "true", "false", "yes", "no", "on", "off"):
        raise ValueError("must be true or false")
    return word in ("1", "true", "yes", "on")


def _lines(raw: Any) -> int:
    try:
        number = int(raw)
    except (TypeError, ValueError):
        raise ValueError("is not a number of lines") from None
    if number < 0:
        raise ValueError("must not be negative; 0 shows no logs")
    return number


def _words(raw: Any) -> tuple[str, ...]:
    return tuple(raw.replace(",", " ").split() if isinstance(raw, str) else raw)


def _as_given(raw: Any) -> str | list[str]:
    words = raw.split() if isinstance(raw, str) else list(raw)
    return words[0] if len(words) == 1 else words


def _setting(name: str, default: Any, read: Callable[[Any], Any], help: str, *, variable: bool = True) -> Setting[Any]:
    return Setting(name, f"PODJIG_{name.upper()}" if variable else "", default, read, help)


OPTIONS = (
    # The first two are settings of podjig itself, which [tool.podjig] of pyproject.toml may have as well.
    Option(setting=settings.ENGINE, metavar="ENGINE"),
    Option(setting=settings.PULL, metavar="POLICY"),
    Option(
        setting=_setting(
            "xdist",
            "shared",
            _one_of("shared", "worker"),
            "with pytest-xdist: 'shared' (default) has one container for all workers, wherever each can be given "
            "a part of it; 'worker' has one for each worker",
        ),
        metavar="HOW",
    ),
    Option(
        setting=_setting(
            "early",
            False,
            _truth,
            "start the session's containers in the background as soon as collection shows that a test needs them",
        ),
        ini="bool",
    ),
    Option(
        setting=_setting(
            "reuse",
            False,
            _truth,
            "leave services running at the end, and take up those of an earlier run whose definition has not changed; "
            "'podjig ps' lists them, 'podjig clean --all' removes them",
        ),
        ini="bool",
    ),
    Option(
        setting=_setting(
            "keep",
            "never",
            _one_of("never", "on-failure"),
            "'on-failure' keeps the containers and databases of a failing test for an hour, and tells the commands "
            "that open and remove them; 'never' is the default",
        ),
        metavar="WHEN",
    ),
    Option(
        setting=_setting(
            "no_engine",
            "fail",
            _one_of("fail", "skip"),
            "without a container engine, tests that need one 'fail' (default), or 'skip' with the reason",
        ),
        metavar="WHAT",
    ),
    Option(
        setting=_setting(
            "logs",
            50,
            _lines,
            "how many lines a failing test shows of what each of its containers wrote since the test began: 50 "
            "(default); 0 shows none",
        ),
        metavar="LINES",
    ),
    Option(
        setting=_setting(
            "mark_integration",
            False,
            _truth,
            "mark every test that uses a fixture of podjig with 'integration'",
            variable=False,
        ),
        ini="bool",
        command_line=False,
    ),
    Option(
        setting=_setting(
            "postgres_image",
            ("postgres:17",),
            _words,
            "image of podjig_postgres_server; several run each test once with each",
        ),
        ini="args",
        command_line=False,
    ),
    Option(
        setting=_setting(
            "postgres_mode",
            "pool",
            _one_of("pool", "template", "rollback", "truncate"),
            "how podjig_postgres gets a clean database: pool (default), template, rollback, truncate",
        ),
        command_line=False,
    ),
    Option(
        setting=_setting(
            "postgres_migrate",
            None,
            _as_given,
            "how podjig_postgres's databases get their schema: 'module:function', SQL files, an alembic.ini, a command",
            variable=False,
        ),
        ini="args",
        command_line=False,
    ),
    Option(
        setting=_setting(
            "redis_image", ("redis:8",), _words, "image of podjig_redis_server; several run each test once with each"
        ),
        ini="args",
        command_line=False,
    ),
    Option(
        setting=_setting(
            "redis_mode",
            "index",
            _one_of("index", "prefix", "server"),
            "what podjig_redis gives a test: a database by its index (default), a prefix, a server",
        ),
        command_line=False,
    ),
)


def add(parser: pytest.Parser) -> None:
    """Add the option group and the ini names."""
    group = parser.getgroup("podjig", "podjig: real services in containers")
    for option in OPTIONS:
        meaning = option.setting.help
        # The default of each is None, "not given", which pytest's types do not foresee for all ini types.
        parser.addini(option.ini_name, meaning, type=option.ini, default=None)
        if option.command_line:
            what: dict[str, Any] = {"metavar": option.metavar} if option.metavar else {"action": "store_true"}
            also = f"ini: {option.ini_name}; environment: {option.setting.variable}"
            group.addoption(option.flag, default=None, help=f"{meaning} ({also})", **what)


def load(config: pytest.Config) -> None:
    """Read all options; put ``engine`` and ``pull`` over the other settings of podjig.

    Raises:
        pytest.UsageError: A value is wrong.
    """
    try:
        values = {option.setting.name: _value(config, option) for option in OPTIONS}
        ours = {name: value for name in ("engine", "pull") if (value := values[name]).origin != "default"}
        if ours:
            merged = settings.load(folder=config.rootpath)
            for name, value in ours.items():
                merged = merged.override(value.origin, **{name: value.value})
            settings.use(merged)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_VALUES] = values


def value(config: pytest.Config, name: str) -> Any:
    """Return the value of the option ``name`` (``"no_engine"``) that is in force."""
    return explain(config, name).value


def explain(config: pytest.Config, name: str) -> Value[Any]:
    """Return the value of the option ``name`` and where it came from.

    Raises:
        KeyError: There is no such option.
    """
    return config.stash[_VALUES][name]


def _value(config: pytest.Config, option: Option) -> Value[Any]:
    """Return the option's value; of podjig's own settings only what pytest adds to the others' places."""
    setting = option.setting
    if option.command_line and (given := config.getoption(option.ini_name)) is not None:
        return settings.read(setting, given, "command line")
    if setting.variable and (raw := os.environ.get(setting.variable)):
        if setting in settings.SETTINGS:
            return Value(raw, "default")  # podjig's settings find it themselves, and tell if it is wrong
        return settings.read(setting, raw, f"environment variable {setting.variable}")
    origin = f"{option.ini_name} in {config.inipath or 'the ini'}"
    try:
        written = config.getini(option.ini_name)
    except (TypeError, ValueError, pytest.UsageError) as error:  # what pytest itself makes of a value of the wrong type
        raise ConfigError(f"{origin}: {error}", hint=setting.help) from None
    if written is None or (isinstance(written, Sequence) and not written):
        return Value(setting.default, "default")
    return settings.read(setting, written, origin)
