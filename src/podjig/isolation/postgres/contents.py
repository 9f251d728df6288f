"""What is in a database's tables and sequences, and back to what it was at the beginning.

Whether a table was written to is read from the table itself, not from the server's statistics: these may lag behind
or be switched off, and do not count TRUNCATE. A table that was empty was written to if it has a row now. One with rows
is as it was exactly if the number and the sum of its rows' ``xmin`` are: whatever is written later has a higher one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from podjig.isolation.postgres.fingerprint import FINGERPRINT

if TYPE_CHECKING:
    from psycopg import Connection

SEED_LIMIT = 16 * 1024 * 1024
"""Bytes of one table's rows that are kept in memory, to write them again. Of a larger one, :meth:`Contents.restore`
is impossible."""

# ruff: noqa: S608  names of relations come quoted from the server

_LARGE = 2 * 1024 * 1024  # bytes from which TRUNCATE is quicker than DELETE: measured
_BLOATED = 16 * 8192  # bytes of dead rows from which looking for live ones takes longer than a VACUUM once

_RELATIONS = """
    SELECT c.oid::int8, c.relkind::text, format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'S') AND c.relpersistence <> 't' AND c.oid >= 16384
      AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    ORDER BY c.oid
"""
_REFERENCES = "SELECT confrelid::int8, conrelid::int8 FROM pg_constraint WHERE contype = 'f' AND conrelid <> confrelid"

_DIGEST = "count(*), coalesce(sum(xmin::text::int8), 0)::int8"


class Contents:
    """The contents of one database at the time when this is made, and how to come back to them.

    Args:
        connection: An autocommit connection of a superuser to it, kept for this: it looks.
        writer: Another one, which writes: without triggers, foreign keys and rules. The first one cannot do that
            meanwhile, for the setting makes the server forget all plans, and planning takes longer than looking.
    """

    def __init__(self, connection: Connection[Any], writer: Connection[Any]) -> None:
        self._connection = connection
        self._writer = writer
        connection.execute("SET jit = off")
        writer.execute("SET session_replication_role = replica; SET lock_timeout = '2s'")
        relations = connection.execute(_RELATIONS.encode()).fetchall()
        self._names: dict[int, str] = {oid: name for oid, _, name in relations}
        tables = [oid for oid, kind, _ in relations if kind != "S"]
        self._views = {oid for oid, kind, _ in relations if kind == "m"}
        populated = self._populated(tables)
        self._seeds = {oid: self._seed(oid) for oid in populated}
        self._digests = {oid: self._digest(oid) for oid in populated}
        self._empty = [oid for oid in tables if oid not in populated]
        self._sequences = {
            oid: self._pair(f"SELECT last_value, is_called FROM {name}") for oid, kind, name in relations if kind == "S"
        }
        self._referring: dict[int, set[int]] = {}
        for referred, referring in connection.execute(_REFERENCES.encode()):
            self._referring.setdefault(referred, set()).add(referring)
        connection.execute(f"PREPARE podjig_contents AS {self._query()}".encode(), prepare=False)
        self._fingerprint = next(text for kind, *_, text in self._look() if kind == "f")

    def restore(self) -> bool:
        """Bring the contents back, touching only what has changed; return whether that was possible.

        Raises:
            psycopg.Error: The server refuses: something holds a lock, or the connection is lost.
        """
        tables: dict[int, int] = {}
        sequences: list[int] = []
        for kind, oid, first, second, text in self._look():
            if kind == "f" and text != self._fingerprint:
                return False  # DDL
            if kind == "s":
                sequences.append(oid)
            if kind == "t" or (kind == "r" and (first, second) != self._digests[oid]):
                tables[oid] = first if kind == "t" else 0
        if self._views & tables.keys() or any(oid in tables and self._seeds[oid] is None for oid in self._seeds):
            return False
        if tables or sequences:
            self._write(tables, sequences)
        return True

    def _look(self) -> list[tuple[str, int, int, int, str]]:
        rows: list[tuple[str, int, int, int, str]] = self._connection.execute(
            b"EXECUTE podjig_contents", prepare=False
        ).fetchall()
        return rows

    def _query(self) -> str:
        """Return one statement that tells of all; a row for each table that has rows, for each other sequence."""
        parts = [f"SELECT 'f', 0::int8, 0::int8, 0::int8, ({FINGERPRINT})"]
        parts += [
            f"SELECT 't', {oid}, pg_relation_size({oid}), 0, '' WHERE EXISTS (SELECT FROM ONLY {self._names[oid]})"
            for oid in self._empty
        ]
        parts += [f"SELECT 'r', {oid}, {_DIGEST}, '' FROM ONLY {self._names[oid]}" for oid in self._seeds]
        parts += [
            f"SELECT 's', {oid}, 0, 0, '' FROM {self._names[oid]}"
            f" WHERE (last_value, is_called) IS DISTINCT FROM ({value}, {called})"
            for oid, (value, called) in self._sequences.items()
        ]
        return " UNION ALL ".join(parts)

    def _write(self, tables: dict[int, int], sequences: list[int]) -> None:
        """Empty tables, fill them again, set sequences back: in one transaction, whatever refers to what."""
        truncated = self._truncated(tables)
        deleted = [oid for oid in tables if oid not in truncated]
        statements = ["BEGIN"]
        if truncated:
            statements.append(f"TRUNCATE ONLY {', ONLY '.join(self._names[oid] for oid in sorted(truncated))}")
        statements += [f"DELETE FROM ONLY {self._names[oid]}" for oid in deleted]
        for oid in sequences:
            value, called = self._sequences[oid]
            statements.append(f"SELECT setval({oid}::regclass, {value}, {called})")
        seeded = [oid for oid in tables if oid in self._seeds]
        if not seeded:
            statements.append("COMMIT")
        self._writer.execute("; ".join(statements).encode(), prepare=False)
        if seeded:
            for oid in seeded:
                with self._writer.cursor().copy(f"COPY {self._names[oid]} FROM STDIN (FORMAT binary)".encode()) as copy:
                    copy.write(self._seeds[oid] or b"")
            self._writer.execute(b"COMMIT", prepare=False)
            self._digests.update({oid: self._digest(oid) for oid in seeded})
        for oid in deleted:
            if tables[oid] > _BLOATED:
                self._writer.execute(f"VACUUM {self._names[oid]}".encode(), prepare=False)

    def _truncated(self, tables: dict[int, int]) -> set[int]:
        """Return which tables to TRUNCATE: large ones, with all that refer to them, as the server wants it."""
        found: set[int] = set()
        for oid, size in tables.items():
            if size > _LARGE:
                together = self._with_referring(oid)
                if not together & self._seeds.keys():
                    found |= together
        return found

    def _with_referring(self, oid: int) -> set[int]:
        found, new = {oid}, {oid}
        while new:
            new = {other for each in new for other in self._referring.get(each, ())} - found
            found |= new
        return found

    def _populated(self, tables: list[int]) -> list[int]:
        if not tables:
            return []
        parts = [f"SELECT {oid}::int8 WHERE EXISTS (SELECT FROM ONLY {self._names[oid]})" for oid in tables]
        return [oid for (oid,) in self._connection.execute(" UNION ALL ".join(parts).encode(), prepare=False)]

    def _digest(self, oid: int) -> tuple[int, int]:
        return self._pair(f"SELECT {_DIGEST} FROM ONLY {self._names[oid]}")

    def _pair(self, query: str) -> tuple[int, int]:
        """Return two columns of the only row."""
        ((first, second),) = self._connection.execute(query.encode(), prepare=False)
        return first, second

    def _seed(self, oid: int) -> bytes | None:
        """Return a table's rows; nothing where they are too many."""
        size = self._connection.execute("SELECT pg_total_relation_size(%s)", (oid,)).fetchone()
        if oid in self._views or size is None or size[0] > SEED_LIMIT:
            return None
        with self._connection.cursor().copy(f"COPY {self._names[oid]} TO STDOUT (FORMAT binary)".encode()) as copy:
            return b"".join(bytes(part) for part in copy)
