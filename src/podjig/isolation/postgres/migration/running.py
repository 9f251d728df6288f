"""Running what needs an event loop of its own, wherever the caller is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any


def run_coroutine(make: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine to its end in a loop of its own."""
    beside_loops(lambda: asyncio.run(make()))


def beside_loops(run: Callable[[], None]) -> None:
    """Call ``run``, which may use ``asyncio.run``: in a thread where a loop runs in this one already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        run()
        return
    failure: list[BaseException] = []

    def attempt() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001  raised below, in the caller's thread
            failure.append(error)

    thread = threading.Thread(target=attempt, name="podjig-migration")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
