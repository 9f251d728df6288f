"""Which engine is used: looked for in a fixed order, each place leaving the reason why it was taken or passed over."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from podjig import config as configuration
from podjig.config import ENGINE, SERVICE_IDLE, Config
from podjig.engine.address import Place, pingable, places
from podjig.engine.ping import PingFailed, Pong, ping
from podjig.engine.service import PrivateService
from podjig.errors import EngineNotFound, EngineUnavailable, PodjigError

if TYPE_CHECKING:
    from podjig.engine.podman import PodmanEngine
    from podjig.engine.protocol import Engine

# Long enough for a socket that starts its engine when first asked.
_PING_TIMEOUT = 5.0
_NO_DOCKER = "docker engine found; podjig does not speak to Docker yet"
_HINT = "install podman, or run 'podjig doctor'"


class Probe(NamedTuple):
    """What was found at one place.

    Attributes:
        place: The place.
        usable: Whether podjig can use an engine there.
        reason: Why, or why not, in a few words.
        pong: The engine's answer, where it was asked and answered.
        service: The private service, where the place is that.
        error: What went wrong, where more than the reason is known.
    """

    place: Place
    usable: bool
    reason: str
    pong: Pong | None = None
    service: PrivateService | None = None
    error: PodjigError | None = None


class EngineSketch(NamedTuple):
    """The engine that would be used, as far as it can be told without starting or importing anything.

    Attributes:
        name: ``"podman"``.
        version: Its version; empty where it was not asked.
        address: Where it is, or will be.
        origin: How it was found, in a few words.
        running: Whether it answers already.
        rootless: Whether it runs without root; ``None`` where that cannot be told.
    """

    name: str
    version: str
    address: str
    origin: str
    running: bool
    rootless: bool | None


def probe(config: Config | None = None, *, environ: Mapping[str, str] | None = None) -> list[Probe]:
    """Look at every place in order, without starting anything.

    Raises:
        ConfigError: The setting ``engine``, ``CONTAINER_HOST`` or ``DOCKER_HOST`` is no address.
    """
    return list(_probes(config, environ))


def describe(config: Config | None = None, *, environ: Mapping[str, str] | None = None) -> EngineSketch:
    """Say which engine :func:`connect` would use, without starting it and without importing its client.

    Raises:
        EngineError: None would be; as :func:`connect`.
        ConfigError: As :func:`probe`.
    """
    tried = []
    for found in _probes(config, environ):
        tried.append(found)
        if found.usable:
            return _sketch(found)
        _give_up_on_explicit(found)
    raise _not_found(tried)


def connect(config: Config | None = None, *, environ: Mapping[str, str] | None = None) -> Engine:
    """Return the engine to use, answering, its private service started if need be.

    Args:
        config: The settings; default: those of this process.
        environ: The environment; default: this process's.

    Raises:
        EngineNotFound: No engine answered; the message lists every place and reason.
        EngineUnavailable: The one that the user named did not answer.
        ConfigError: As :func:`probe`; or the private service was asked for, and a file of Podman's is broken.
    """
    tried = []
    for found in _probes(config, environ):
        if found.usable:
            try:
                return _connect(found)
            except PodjigError as error:
                tried.append(Probe(place=found.place, usable=False, reason=_first_line(error), error=error))
        else:
            tried.append(found)
        _give_up_on_explicit(tried[-1])
    raise _not_found(tried)


class Reach(NamedTuple):
    """Where the engine is, for who speaks to it without its client.

    Attributes:
        address: Its URL.
        revive: Starts it again should nobody listen there; ``None`` where it is not ours to start.
    """

    address: str
    revive: Callable[[], object] | None = None


def reach(config: Config | None = None, *, environ: Mapping[str, str] | None = None) -> Reach:
    """Say where the engine that :func:`connect` would use answers, its private service started if need be.

    Loads no engine client.

    Raises:
        EngineNotFound, EngineUnavailable, ConfigError: As :func:`connect`.
    """
    tried = []
    for found in _probes(config, environ):
        if found.usable and found.service is None:
            return Reach(address=found.place.address)
        if found.usable and found.service is not None:
            try:
                found.service.ensure()
                return Reach(address=found.service.address, revive=found.service.revive)
            except PodjigError as error:
                tried.append(Probe(place=found.place, usable=False, reason=_first_line(error), error=error))
        else:
            tried.append(found)
        _give_up_on_explicit(tried[-1])
    raise _not_found(tried)


_engine: Engine | None = None
_client_mutex = threading.RLock()
_mutex = threading.RLock()  # what is imported while it is held may ask for the engine


def current_engine() -> Engine:
    """Return this process's engine, found at the first call. A forked child finds its own.

    Raises:
        EngineError: As :func:`connect`.
        ConfigError: As :func:`connect`.
    """
    global _engine  # noqa: PLW0603  one process, one engine
    with _mutex:
        if _engine is None:
            _engine = connect()
        return _engine


def found() -> bool:
    """Whether this process has found its engine."""
    return _engine is not None


def use_engine(engine: Engine | None) -> None:
    """Make ``engine`` the one of this process; ``None`` looks for one again when next asked."""
    global _engine  # noqa: PLW0603
    with _mutex:
        _engine = engine


def _forget_after_fork() -> None:
    """A child must neither speak over its parent's connections nor wait for a lock nobody in it holds."""
    global _engine, _mutex, _client_mutex
    _engine, _mutex, _client_mutex = None, threading.RLock(), threading.RLock()


os.register_at_fork(after_in_child=_forget_after_fork)


def _probes(config: Config | None, environ: Mapping[str, str] | None) -> Iterator[Probe]:
    config = configuration.current() if config is None else config
    environ = os.environ if environ is None else environ
    engine = config.explain(ENGINE)
    for place in places(engine.value, environ, origin=engine.origin):
        if place.private:
            yield _probe_private(place, PrivateService(idle=config[SERVICE_IDLE], environ=environ))
        else:
            yield _probe_address(place)


def _probe_address(place: Place) -> Probe:
    if not place.address:
        return Probe(place=place, usable=False, reason="unset")
    if not pingable(place.address):
        return Probe(place=place, usable=True, reason="named by the user; not asked before it is used")
    try:
        pong = ping(place.address, timeout=_PING_TIMEOUT)
    except PingFailed as failure:
        return Probe(place=place, usable=False, reason=str(failure))
    except ValueError as error:
        return Probe(place=place, usable=False, reason=str(error))
    if not pong.is_podman:
        return Probe(place=place, usable=False, reason=_NO_DOCKER, pong=pong)
    return Probe(place=place, usable=True, reason=f"podman {pong.version} answers", pong=pong)


def _probe_private(place: Place, service: PrivateService) -> Probe:
    try:
        version = ".".join(map(str, service.version))
        state = "running" if service.running() else "started when needed"
    except PodjigError as error:
        return Probe(place=place, usable=False, reason=_first_line(error), service=service, error=error)
    return Probe(place=place, usable=True, reason=f"podman {version}, {state}", service=service)


def _sketch(found: Probe) -> EngineSketch:
    service = found.service
    if service is not None:
        version, address, running = ".".join(map(str, service.version)), service.address, service.running()
    else:
        version, address = found.pong.version if found.pong else "", found.place.address
        running = found.pong is not None
    return EngineSketch(
        name="podman",
        version=version,
        address=address,
        origin=found.place.origin,
        running=running,
        rootless=found.place.rootless,
    )


def _connect(found: Probe) -> Engine:
    service, place = found.service, found.place
    if service is not None:
        service.start()
    client = _client()  # while it starts: each takes about as long as the other
    if service is not None:
        service.ensure()
        return client(service.address, origin=place.origin, revive=service.revive)
    engine = client(place.address, origin=place.origin)
    if found.pong is None:
        engine.ping()
    return engine


@contextmanager
def importing_client() -> Iterator[None]:
    """Import the engine's client at the end of a block. Who meanwhile needs it in another thread waits.

    That changes Python's filters of warnings, which are the whole process's: only a thread that nobody else's changes
    come across, like pytest's own, is to do so.
    """
    with _client_mutex:
        yield
        _client()


def _client() -> type[PodmanEngine]:
    """Import the engine's client, and return it.

    What its packages have to say to their own users must not become an error, as it would in a run whose warnings are
    errors.
    """
    with _client_mutex:
        if "podjig.engine.podman" not in sys.modules:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                importlib.import_module("podjig.engine.podman")
        from podjig.engine.podman import PodmanEngine
    return PodmanEngine


def _give_up_on_explicit(found: Probe) -> None:
    """Nothing else will do where the user has named an engine.

    Raises:
        EngineUnavailable: They have, and it is not usable.
    """
    if not found.place.explicit or found.usable:
        return
    place = found.place
    if isinstance(found.error, EngineUnavailable):
        raise found.error
    where = place.label if place.label.startswith(place.origin) else f"{place.label} (from {place.origin})"
    raise EngineUnavailable(
        f"the engine at {where} cannot be used: {found.reason}",
        hint=f"start it, or unset {place.origin.rpartition(' ')[2]}; 'podjig doctor' lists what else is there",
    )


def _not_found(tried: list[Probe]) -> PodjigError:
    if len(tried) == 1 and tried[0].error is not None:
        return tried[0].error  # the private service, asked for by name
    listed = ", ".join(f"{found.place.label} ({found.reason})" for found in tried)
    logs = next((found.error.logs for found in tried if found.error is not None and found.error.logs), "")
    return EngineNotFound(f"no container engine answered. Tried {listed}.", hint=_HINT, logs=logs)


def _first_line(error: PodjigError) -> str:
    return error.message.partition("\n")[0]
