"""Doing the same with several things at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from podjig.errors import PodjigError

_AT_ONCE = 4
"""How many. An engine serialises most of what it is asked to do; more gain nothing."""


def side_by_side(work: Callable[[str], object], items: Iterable[str]) -> list[PodjigError]:
    """Do something with several things, a few at a time; return what failed."""
    left, failures = list(items), list[PodjigError]()

    def run() -> None:
        while True:
            try:
                item = left.pop()  # atomic
            except IndexError:
                return
            try:
                work(item)
            except PodjigError as error:
                failures.append(error)

    threads = []
    try:
        for _ in range(min(_AT_ONCE, len(left)) - 1):
            thread = threading.Thread(target=run, name="podjig-engine")
            thread.start()
            threads.append(thread)
    except RuntimeError:  # late in the interpreter's life: this thread does it all
        pass
    run()
    for thread in threads:
        thread.join()
    return failures
