"""Several users' transactions on one connection, each by a savepoint inside one real transaction.

This only plans: it says which statements to send. Sending them is the drivers' part.
"""

from __future__ import annotations

from podjig.errors import IsolationError

OUTER = "podjig"
"""The savepoint just inside the real transaction: if it is gone, somebody ended that transaction."""

LOST = ("3B001", "25P01")
"""SQLSTATEs of a missing savepoint, and of a missing transaction (PostgreSQL manual, Appendix A)."""

DEFERRED = """
    SELECT format('%I.%I', nspname, conname) FROM pg_constraint JOIN pg_namespace n ON n.oid = connamespace
    WHERE condeferred
"""
"""The constraints that are checked at the end of a transaction."""

BEGIN = f"BEGIN; SAVEPOINT {OUTER}"
END = f"ROLLBACK TO SAVEPOINT {OUTER}; SELECT pg_advisory_unlock_all(); ROLLBACK"
"""What a whole test's transaction costs, apart from the test: two round trips."""


class Entry:
    """One user's open transaction."""

    __slots__ = ("autocommit", "failed", "name", "over", "overlaid", "user", "wrote")

    def __init__(self, user: object, name: str, *, autocommit: bool) -> None:
        self.user: object | None = user
        self.name: str = name
        self.autocommit: bool = autocommit
        self.wrote: bool = False
        self.failed: bool = False
        self.over: bool = False
        self.overlaid: set[Entry] = set()  # others' transactions that have written since this one's savepoint


class Ledger:
    """Whose transaction is open, in the order of their savepoints.

    Savepoints are a stack, transactions are not. What holds: one user alone, and users whose transactions lie inside
    each other, have exactly what they would have with connections of their own, but that each sees the others'
    uncommitted rows. Where transactions overlap, one that only read may end in any way. One that wrote may commit; it
    can roll back only if nobody else has written since it began: else that is refused.

    Args:
        deferred: The constraints that a commit checks, as SQL: see :data:`DEFERRED`.
    """

    def __init__(self, deferred: tuple[str, ...] = ()) -> None:
        self.deferred = deferred
        self._open: list[Entry] = []
        self._number = 0
        self._last: Entry | None = None

    @property
    def last_savepoint(self) -> str:
        """The savepoint of the transaction that the last statement was part of."""
        return self._last.name if self._last is not None else OUTER

    def idle(self, user: object) -> bool:
        """Whether a user would believe that it has no transaction open."""
        entry = self._find(user)
        return entry is None or (entry.autocommit and not entry.failed)

    def before(self, user: object, *, writes: bool = True, autocommit: bool = False) -> list[str]:
        """Return what to send before a user's statement.

        Args:
            user: Whose statement it is.
            writes: Whether it may write. In doubt, it may.
            autocommit: It is a transaction of its own.
        """
        statements: list[str] = []
        entry = self._find(user)
        if entry is not None and entry.autocommit:
            statements += self.rollback(user)  # which commits, unless the statement failed
            entry = None
        if self._last is not None and self._last is not entry and self._last.failed:
            statements += self._undo(self._last)  # it can only roll back, and others need not wait for that
        if entry is None:
            self._number += 1
            entry = Entry(user, f"{OUTER}_{self._number}", autocommit=autocommit)
            self._open.append(entry)
            statements.append(f"SAVEPOINT {entry.name}")
        if writes:
            entry.wrote = True
            for other in self._open:
                if other is not entry:
                    other.overlaid.add(entry)
        self._last = entry
        return statements

    def aborted(self, is_so: bool) -> None:
        """Take note of whether the last statement has left the transaction aborted."""
        if self._last is not None:
            self._last.failed = is_so

    def check(self, user: object) -> list[str]:
        """Return what to send first when a user commits: it fails where a deferred constraint does not hold."""
        entry = self._find(user)
        if entry is None or not entry.wrote or entry.failed or not self.deferred:
            return []
        return ["SET CONSTRAINTS ALL IMMEDIATE", f"SET CONSTRAINTS {', '.join(self.deferred)} DEFERRED"]

    def commit(self, user: object) -> list[str]:
        """Return what to send when a user commits; a transaction that failed is rolled back, as the server does."""
        entry = self._find(user)
        if entry is None:
            return []
        return self._undo(entry) if entry.failed else self._leave(entry)

    def rollback(self, user: object) -> list[str]:
        """Return what to send when a user rolls back.

        Raises:
            IsolationError: Others wrote since this transaction began, and would lose it.
        """
        entry = self._find(user)
        if entry is None:
            return []
        if not entry.failed and (entry.autocommit or (entry.overlaid and not entry.wrote)):
            return self._leave(entry)
        return self._undo(entry)

    def _find(self, user: object) -> Entry | None:
        return next((entry for entry in self._open if entry.user is user), None)

    def _leave(self, entry: Entry) -> list[str]:
        """End a transaction and let its work stand."""
        entry.over, entry.user = True, None
        last = None
        while self._open and self._open[-1].over:
            last = self._open.pop()
        return [f"RELEASE SAVEPOINT {last.name}"] if last is not None else []

    def _undo(self, entry: Entry) -> list[str]:
        """End a transaction and undo its work."""
        entry.failed, entry.user, entry.over = False, None, True
        if entry.overlaid:
            raise IsolationError(
                "a transaction cannot be rolled back: another one wrote since it began, on the same connection",
                hint="in the mode 'rollback' all share one connection; use mode='pool' for overlapping transactions",
            )
        place = self._open.index(entry)
        above = [other for other in self._open[place + 1 :] if not other.over]
        del self._open[place:]
        for other in self._open:
            other.overlaid.discard(entry)
        statements = [f"ROLLBACK TO SAVEPOINT {entry.name}", f"RELEASE SAVEPOINT {entry.name}"]
        for other in above:  # they have only read; their savepoints went with this one's
            self._open.append(other)
            statements.append(f"SAVEPOINT {other.name}")
        return statements


def ended_by_hand() -> IsolationError:
    """Return the error for a transaction that the code under test ended behind our back."""
    return IsolationError(
        "the transaction that isolates this test was ended by a COMMIT, ROLLBACK or PREPARE TRANSACTION sent as SQL: "
        "what was written may have stayed in the database",
        hint="commit by the driver's or SQLAlchemy's own methods; or use mode='pool' (or 'template') for this test",
    )


def sqlstate_of(error: BaseException) -> str:
    """Return the SQLSTATE that a driver's error carries, whichever driver; else nothing."""
    for name in ("sqlstate", "pgcode"):
        state = getattr(error, name, None)
        if isinstance(state, str):
            return state
    first = error.args[0] if error.args else None
    return str(first.get("C", "")) if isinstance(first, dict) else ""  # pg8000
