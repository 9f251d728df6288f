"""Starting the members of a pod: those that may, side by side; the first failure stops the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from podjig.pod.plan import Member


def start_members(members: Sequence[Member], start: Callable[[Member], None], give_up: Callable[[], None]) -> None:
    """Start every member once those it depends on are ready.

    Args:
        members: The members, of whom no two depend on each other in a circle.
        start: Starts one, and returns when it is ready.
        give_up: Called at the first failure; makes the starts under way end at once.

    Raises:
        BaseException: What the first failing start raised.
    """
    waiting = list(members)
    ready: set[int] = set()
    under_way: dict[Future[None], Member] = {}
    with ThreadPoolExecutor(max_workers=len(members), thread_name_prefix="podjig-pod") as pool:
        try:
            while waiting or under_way:
                for member in [one for one in waiting if all(id(needed) in ready for needed in one.depends_on)]:
                    waiting.remove(member)
                    under_way[pool.submit(start, member)] = member
                finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in finished:
                    member = under_way.pop(future)
                    future.result()
                    ready.add(id(member.container))
        except BaseException:
            give_up()
            raise
