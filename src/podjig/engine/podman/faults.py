"""What went wrong between us and the service, as podjig errors."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import requests
import urllib3.exceptions

from podjig.errors import (
    EngineError,
    EngineRequestError,
    EngineTimeout,
    EngineUnavailable,
    ResourceNotFound,
)

TRANSPORT_FAULTS = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)
"""What podman-py's client raises when there is no answer (its own ``APIError`` and requests' errors are OSErrors)."""

ABSENT = "absent"
"""Nothing listens, or we may not connect: nothing was sent."""
TIMEOUT = "timeout"
LOST = "lost"
"""The connection ended before the answer did; the request may have been served."""

_ABSENT = (
    FileNotFoundError,
    NotADirectoryError,
    ConnectionRefusedError,
    PermissionError,
    urllib3.exceptions.NewConnectionError,
)
_TIMEOUT = (TimeoutError, requests.exceptions.Timeout, urllib3.exceptions.TimeoutError)


_MEANWHILE = re.compile(rb"runtime error: |/proc/\d+/.*no such (process|file)", re.IGNORECASE)


def kind(error: BaseException) -> str:
    """Return which of the three it is."""
    chain = list(_chain(error))
    if any(isinstance(link, _ABSENT) for link in chain):
        return ABSENT
    if any(isinstance(link, _TIMEOUT) for link in chain):
        return TIMEOUT
    return LOST


def changes_meanwhile(status: int, body: bytes) -> bool:
    """Whether an answer says that the service stumbled over something that changes in this moment.

    Podman 4 does so over an image whose layers are being removed, and over a container whose first process ends.
    Asked again, it knows.
    """
    return status == HTTPStatus.INTERNAL_SERVER_ERROR and _MEANWHILE.search(body) is not None


def unreachable(error: BaseException, *, what: str, address: str, deadline: float) -> EngineError:
    """Return the podjig error for a call that got no answer."""
    chain = list(_chain(error))
    match kind(error):
        case "timeout":
            return EngineTimeout(
                f"Podman at {address} gave no answer within {deadline:g} s: cannot {what}",
                hint="the engine is overloaded or hangs; 'podman ps' in a shell shows whether it answers at all",
            )
        case "absent":
            causes = [link for link in chain if isinstance(link, OSError) and link.strerror]
            reason = causes[-1].strerror if causes else str(chain[-1])
            return EngineUnavailable(
                f"no Podman service answers at {address} ({reason}): cannot {what}",
                hint="check that the service runs and that you may use its socket; 'podjig doctor' looks for engines",
            )
        case _:
            return EngineUnavailable(
                f"the connection to Podman at {address} was lost ({str(chain[-1]) or type(chain[-1]).__name__}): "
                f"cannot {what}",
                hint="the service ended or was restarted meanwhile; try again",
            )


def reason_of(body: bytes) -> str:
    """Return the service's own words from the body of a refusal."""
    text = body.decode("utf-8", errors="replace").strip()
    try:
        document, _ = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError:
        return text
    if not isinstance(document, dict):
        return text
    message: Any = document.get("message") or document.get("cause") or document.get("error") or text
    return str(message).strip()


def reason(error: EngineRequestError) -> str:
    """Return the service's own words from an error that :func:`refusal` made."""
    return error.message.partition(": ")[2] or error.message


def refusal(status: int, body: bytes, what: str) -> EngineRequestError:
    """Return the podjig error for an answer of status 400 or more."""
    reason = reason_of(body) or f"HTTP status {status}"
    # A container that is being removed right now is absent from the database, which the service calls its own fault.
    absent = status == 404 or (status == 500 and "does not exist in database" in reason)
    error = ResourceNotFound if absent else EngineRequestError
    return error(f"Podman cannot {what}: {reason}", status=status)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all it was made from, outermost first: requests keeps causes in ``args``."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        link = queue.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        queue += [*link.args, getattr(link, "reason", None), link.__cause__, link.__context__]
