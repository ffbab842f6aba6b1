"""What callers may come back to: records of bounded number, size and age, each read by its owner only.

SQLite keeps them, in memory unless a file is named; nothing else of a request is ever kept.
"""

import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS records (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, body BLOB NOT NULL, size INTEGER NOT NULL,
    created REAL NOT NULL, used INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS records_by_use ON records (used);
CREATE TABLE IF NOT EXISTS items (
    id TEXT NOT NULL, record TEXT NOT NULL REFERENCES records (id) ON DELETE CASCADE, PRIMARY KEY (id, record)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS items_by_record ON items (record);
"""
_PRAGMAS: Final = ("foreign_keys = ON", "secure_delete = ON", "journal_mode = WAL", "synchronous = NORMAL")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """`seconds` is the longest that a record lives without being changed; 0 `records` or `size` bytes keep nothing."""

    records: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """`items` are the ids under which `Store.find` leads to this record."""

    id: str
    owner: str
    body: bytes
    items: tuple[str, ...] = ()


class Store:
    """Safe to use from any thread; every method is short. What has not been used for longest goes first. The database
    is closed when nobody holds the store any more."""

    def __init__(self, bounds: Bounds, path: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self._bounds = bounds
        self._clock = clock
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
        weakref.finalize(self, self._database.close)
        for pragma in _PRAGMAS:
            self._database.execute(f"PRAGMA {pragma}")
        self._database.executescript(_SCHEMA)
        [(self._uses,)] = self._database.execute("SELECT coalesce(max(used), 0) FROM records")

    @property
    def is_off(self) -> bool:
        return not self._bounds.records or not self._bounds.size

    def put(self, record: Record) -> bool:
        """Keeps `record` in place of an older one with its id; False if it is larger than all records may be."""
        with self._lock:
            self._forget_expired()
            return self._put(record)

    def get(self, record_id: str, owner: str) -> bytes | None:
        with self._lock:
            self._forget_expired()
            return self._get(record_id, owner)

    def find(self, item_id: str, owner: str) -> str | None:
        """The id of a record that has this item."""
        query = "SELECT records.id FROM items JOIN records ON records.id = record WHERE items.id = ? AND owner = ?"
        with self._lock:
            self._forget_expired()
            row = self._database.execute(query, (item_id, owner)).fetchone()
            return row[0] if row else None

    def change(self, record_id: str, owner: str, changed: Callable[[bytes], Record]) -> bool:
        """Puts what `changed` makes of the body; nobody else changes it meanwhile. False if there is no such record."""
        with self._lock:
            self._forget_expired()
            body = self._get(record_id, owner)
            return body is not None and self._put(changed(body))

    def delete(self, record_id: str, owner: str) -> bool:
        """Whether there was one."""
        with self._lock:
            self._forget_expired()
            gone = self._database.execute("DELETE FROM records WHERE id = ? AND owner = ?", (record_id, owner))
            return gone.rowcount > 0

    def _get(self, record_id: str, owner: str) -> bytes | None:
        self._uses += 1
        query = "UPDATE records SET used = ? WHERE id = ? AND owner = ? RETURNING body"
        rows = self._database.execute(query, (self._uses, record_id, owner)).fetchall()
        return rows[0][0] if rows else None

    def _put(self, record: Record) -> bool:
        size = len(record.body)
        if self.is_off or size > self._bounds.size:
            return False
        self._uses += 1
        row = (record.id, record.owner, record.body, size, self._clock(), self._uses)
        with self._database:
            self._database.execute("BEGIN")
            self._database.execute("DELETE FROM records WHERE id = ? AND owner = ?", (record.id, record.owner))
            self._database.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)", row)
            pairs = [(item, record.id) for item in record.items]
            self._database.executemany("INSERT OR IGNORE INTO items VALUES (?, ?)", pairs)
            self._make_room()
        return True

    def _make_room(self) -> None:
        """Forgets those that are beyond the bounds when all are counted from the latest used."""
        self._database.execute(
            "DELETE FROM records WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER latest AS number, "
            "sum(size) OVER latest AS total FROM records WINDOW latest AS (ORDER BY used DESC)) "
            "WHERE number > ? OR total > ?)",
            (self._bounds.records, self._bounds.size),
        )

    def _forget_expired(self) -> None:
        self._database.execute("DELETE FROM records WHERE created < ?", (self._clock() - self._bounds.seconds,))
